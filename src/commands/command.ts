import { type ParseArgsConfig, parseArgs } from 'node:util'
import { CatalogError } from '../catalog/catalog.ts'
import { type Config, ConfigError, loadConfig } from '../config.ts'
import { AppError } from '../errors.ts'
import { errorText } from '../pages/text/en.ts'
import { StoreError } from '../store/store.ts'

/** A wrong word on the command line; the message says what would be right. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/**
 * Runs a command to its end: what a person can mend is said in words on stderr and makes the exit code 1 (2 for a wrong
 * command line); a stack means a bug. `standIns` are settings that the command does not need.
 */
export async function runCommand(
  usage: string,
  work: (config: Config) => Promise<void>,
  standIns: Record<string, string> = {},
): Promise<void> {
  // Somebody who reads the list through `head` closes our end early: that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
    console.log(usage)
    return
  }
  try {
    await work(await loadConfig(process.env, { dotenvPath: '.env', standIns }))
  } catch (error) {
    const message = explain(error)
    if (message === undefined) throw error
    console.error(message)
    if (error instanceof UsageError) console.error(`\n${usage}`)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}

/** `util.parseArgs`, with its complaints as usage errors. */
export function parseWords<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function explain(error: unknown): string | undefined {
  if (error instanceof UsageError || error instanceof ConfigError) return error.message
  if (error instanceof StoreError) return `The store named by DATABASE_URL failed: ${error.code}.`
  if (error instanceof CatalogError) {
    return `The catalog cannot be used:\n${error.problems.map(({ pointer, message }) => `  ${pointer}  ${message}`).join('\n')}`
  }
  if (error instanceof AppError) {
    const facts = Object.entries(error.details)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} ${value}`)
    return `${error.code}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}: ${errorText(error.code, error.params).message}`
  }
  return undefined
}
