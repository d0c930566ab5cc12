import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import * as backup from '../../src/commands/backup.ts'
import * as checkCatalog from '../../src/commands/check-catalog.ts'
import * as link from '../../src/commands/link.ts'
import * as orders from '../../src/commands/orders.ts'
import * as reconcile from '../../src/commands/reconcile.ts'
import type { Service } from '../service.ts'

const COMMANDS = { backup, 'check-catalog': checkCatalog, link, orders, reconcile }
type CommandName = keyof typeof COMMANDS
const { scripts } = packageJson

export interface Run {
  code: number | null
  stdout: string
  stderr: string
}

interface Surroundings {
  env?: Record<string, string>
  dotenvPath?: string
  signal?: AbortSignal
}

/** Runs a command in this process, with nothing of this environment. */
export async function run(
  name: CommandName,
  argv: readonly string[] = [],
  { env = {}, dotenvPath, signal = new AbortController().signal }: Surroundings = {},
): Promise<Run> {
  const run: Run = { code: null, stdout: '', stderr: '' }
  run.code = await COMMANDS[name].main(argv, {
    env,
    dotenvPath,
    out(line) {
      run.stdout += `${line}\n`
    },
    err(line) {
      run.stderr += `${line}\n`
    },
    stopSignal: () => signal,
  })
  return run
}

/** Runs a command in this process, with the settings of a running service. */
export function runBeside(
  shop: Service,
  name: CommandName,
  argv: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<Run> {
  return run(name, argv, { env: envOf(shop, more) })
}

/** The settings under which a command works beside a running service. */
export function envOf(shop: Service, more: Record<string, string> = {}): Record<string, string> {
  return { ...shop.env, ...more }
}

/**
 * Runs the script NAME of package.json as a process of its own, as `npm run NAME -- …` does, without the second that npm
 * itself takes. With `leaveEarly` its reader closes the pipe after the first output, as `head` does.
 */
export async function runScript(
  name: CommandName,
  words: readonly string[],
  env: Record<string, string>,
  { leaveEarly = false } = {},
): Promise<Run> {
  const cwd = resolve(import.meta.dirname, '../..')
  const child = spawn('sh', ['-c', `exec ${scripts[name]} "$@"`, name, ...words], {
    cwd,
    env: { PATH: `${cwd}/node_modules/.bin:${process.env.PATH}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const run: Run = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    run.stdout += text
    if (leaveEarly) child.stdout.destroy()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    run.stderr += text
  })
  await once(child, 'close')
  run.code = child.exitCode
  return run
}
