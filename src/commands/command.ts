import { type ParseArgsConfig, parseArgs } from 'node:util'
import { CatalogError, type CatalogProblem } from '../catalog/problems.ts'
import { ConfigError } from '../config.ts'
import { AppError } from '../errors.ts'
import { errorText } from '../pages/text.ts'
import { StoreError } from '../store/store.ts'

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
  /** Aborts where the command should stop early. Until this is called, Ctrl+C ends the process at once. */
  stopSignal(): AbortSignal
}

/** The `Io` of this process. Call it once. */
export function processIo(): Io {
  // A reader such as `head` closes its end of the pipe when it has seen enough, which is no failure.
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
 * Runs a command and returns its exit code: what `work` returns, 1 where a person can fix what went wrong, 2 for a wrong
 * command line. Both are explained on stderr. Anything else that `work` throws is a bug and is thrown on.
 */
export async function runCommand(
  usage: string,
  argv: readonly string[],
  io: Io,
  work: () => Promise<number>,
): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    io.out(usage)
    return 0
  }
  try {
    return await work()
  } catch (error) {
    const message = explain(error)
    if (message === undefined) throw error
    io.err(message)
    if (!(error instanceof UsageError)) return 1
    io.err(`\n${usage}`)
    return 2
  }
}

/** `util.parseArgs`. @throws UsageError */
export function parseWords<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function explain(error: unknown): string | undefined {
  if (error instanceof UsageError || error instanceof ConfigError) return error.message
  if (error instanceof StoreError) return `The store that DATABASE_URL names failed: ${error.code}.`
  if (error instanceof CatalogError) {
    return ['The catalog is invalid:', ...error.problems.map((problem) => `  ${problemLine(problem)}`)].join(
      '\n',
    )
  }
  if (error instanceof AppError) {
    return `${error.code}${inBrackets(error.details)}: ${errorText(error.code, error.params).message}`
  }
  return undefined
}

/** A problem as `catalog.json:12:5  /products/0/amount  must be …`, without what is not known. */
export function problemLine({ pointer, message, line, column }: CatalogProblem, path?: string): string {
  const place = [path, line, column].filter((part) => part !== undefined).join(':')
  return [place, pointer, message].filter((part) => part !== '').join('  ')
}

/** ` (name value, name value)`, or nothing. */
export function inBrackets(fields: object): string {
  const known = Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined || value === null) return []
    return [`${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`]
  })
  return known.length > 0 ? ` (${known.join(', ')})` : ''
}

const UNIT_SECONDS: Record<string, number> = { m: 60, h: 3_600, d: 86_400 }

/** Seconds of a period as it is written on a command line (`30m`, `24h`, `7d`); undefined for anything else. */
export function parsePeriod(text: string): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? []
  const seconds = UNIT_SECONDS[unit]
  return seconds && Number(count) * seconds
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/i

/**
 * Reads a day or a time (ISO 8601; a space may take the place of the T). Without a zone it is UTC on every machine, as
 * all that the commands print. Undefined for anything else.
 */
export function parseTime(text: string): Date | undefined {
  const [whole, day, clock = '00:00', zone = 'Z'] = TIME.exec(text) ?? []
  const time = whole === undefined ? Number.NaN : Date.parse(`${day}T${clock}${zone}`)
  return Number.isNaN(time) ? undefined : new Date(time)
}

/** The time that `--since` names, which is a period before `now` or a time. @throws UsageError */
export function parseSince(text: string, now: Date): Date {
  const seconds = parsePeriod(text)
  const time = seconds === undefined ? parseTime(text) : new Date(now.getTime() - seconds * 1000)
  if (time === undefined) throw new UsageError('--since takes 30m, 24h, 7d, or a time.')
  return time
}
