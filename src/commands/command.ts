import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { CatalogError } from '../catalog/problems.ts'
import { ConfigError } from '../config.ts'
import { AppError } from '../errors.ts'
import { errorText } from '../pages/text.ts'

/** A wrong command line; the message says what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What a command uses of the process that runs it. Tests pass their own. */
export interface Io {
  readonly env: NodeJS.ProcessEnv
  /** A file with settings that `env` leaves open. */
  readonly dotenvPath?: string
  /** Writes a line to stdout. */
  out(line: string): void
  /** Writes a line to stderr. */
  err(line: string): void
  /** A signal that is aborted at Ctrl+C or SIGTERM. Until this is called, they end the process at once. */
  stopSignal(): AbortSignal
}

/** The `Io` of this process. Call it once. */
export function processIo(): Io {
  // A reader such as `head` closes the pipe early, which is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    env: process.env,
    dotenvPath: '.env',
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    stopSignal: () => {
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      return stop.signal
    },
  }
}

/**
 * A command as a function that returns its exit code: what `work` returns, 1 where a person can fix what went wrong, 2 for
 * a wrong command line. Both are explained on stderr. Anything else that `work` throws is a bug and is thrown on.
 */
export function command(usage: string, work: (argv: readonly string[], io: Io) => Promise<number>) {
  return async (argv: readonly string[], io: Io): Promise<number> => {
    if (argv.includes('--help') || argv.includes('-h')) {
      io.out(usage)
      return 0
    }
    try {
      return await work(argv, io)
    } catch (error) {
      const message = isUsageError(error) ? `${error.message}\n\n${usage}` : explain(error)
      if (message === undefined) throw error
      io.err(message)
      return isUsageError(error) ? 2 : 1
    }
  }
}

/**
 * Calls `work` with an `Io` whose stdout is a file, readable by its owner alone, since lists hold emails. Without a path it
 * is the given one. The file is there, or replaced, only when `work` has ended well.
 *
 * @throws UsageError where it cannot be written.
 */
export async function withOutput(
  io: Io,
  path: string | undefined,
  work: (io: Io) => Promise<void>,
): Promise<void> {
  if (path === undefined) return work(io)
  const partial = `${path}.${process.pid}.partial`
  const refuse = (error: unknown): never => {
    rmSync(partial, { force: true })
    throw new UsageError(`--out cannot write ${path}: ${error instanceof Error ? error.message : error}`)
  }
  let file: number
  try {
    file = openSync(partial, 'w', 0o600)
  } catch (error) {
    return refuse(error)
  }
  let failure: unknown
  const write = (line: string) => {
    try {
      if (failure === undefined) writeSync(file, `${line}\n`)
    } catch (error) {
      failure = error
    }
  }
  try {
    await work({ ...io, out: write })
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  if (failure !== undefined) return refuse(failure)
  try {
    renameSync(partial, path)
  } catch (error) {
    refuse(error)
  }
}

function isUsageError(error: unknown): error is Error {
  const isParseError =
    error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  return isParseError || error instanceof UsageError
}

function explain(error: unknown): string | undefined {
  if (error instanceof ConfigError || error instanceof CatalogError) return error.message
  // By its name: importing its class would load the database library, which half of the commands do not need.
  if (error instanceof Error && error.name === 'StoreError' && 'code' in error) {
    const explanation = 'explanation' in error && error.explanation ? `, ${error.explanation}` : ''
    return `The store that DATABASE_URL names failed: ${error.code}${explanation}.`
  }
  if (!(error instanceof AppError)) return undefined
  return `${error.code}${inBrackets(error.details)}: ${errorText(error.code, error.params).message}`
}

/** ` (name value, name value)`, or nothing. */
export function inBrackets(fields: object): string {
  const known = Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined || value === null) return []
    return [`${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`]
  })
  return known.length > 0 ? ` (${known.join(', ')})` : ''
}

const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 }
const PERIOD = /^([1-9]\d{0,5})([mhd])$/
const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/i

/**
 * Reads a period from `now` on (`30m`, `24h`, `7d`; `sign` -1 counts back), a day, or a time (ISO 8601; a space may take
 * the place of the T). Without a zone it is UTC, as all that the commands print. Undefined for anything else.
 */
export function parseTime(text: string, now: Date, sign: 1 | -1): Date | undefined {
  const [, count, unit = ''] = PERIOD.exec(text) ?? []
  const [, day, clock = '00:00', zone = 'Z'] = TIME.exec(text) ?? []
  const period = Number(count) * (UNIT_MS[unit] ?? 0)
  const time = period > 0 ? now.getTime() + sign * period : Date.parse(`${day}T${clock}${zone}`)
  return Number.isNaN(time) ? undefined : new Date(time)
}

/** The time that `--since` names. @throws UsageError */
export function parseSince(text: string): Date {
  const time = parseTime(text, new Date(), -1)
  if (time === undefined) throw new UsageError('--since takes 30m, 24h, 7d, or a time.')
  return time
}
