import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { CREDENTIALS, freePort, PRODUCTS } from '../service.ts'

const SERVER = resolve('src/server.ts')
/** A start takes well under a second; a machine under load may need longer. */
const START_MS = 30_000

/** The service as a process of its own, the way `npm start` runs it. */
export interface ServerProcess {
  child: ChildProcess
  /** All that it has written, both streams. */
  output(): string
  /** The log so far, a parsed line each. */
  log(): Record<string, unknown>[]
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/**
 * Runs the server with these settings and nothing else of this environment. It is gone when the test is over. `within`
 * is a command that ends in starting the program that its further arguments name.
 */
export function runServer(
  env: Record<string, string>,
  cwd: string,
  script = SERVER,
  within: readonly string[] = [],
): ServerProcess {
  const [command = '', ...args] = [...within, process.execPath, script]
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode }))
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    output: () => output,
    log: () =>
      output
        .split('\n')
        .filter((line) => line !== '')
        .map((line): Record<string, unknown> => JSON.parse(line)),
    ended,
  }
}

/** An empty folder that is gone when the test is over. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-process-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface Deployment {
  /** The settings that it was started with. */
  env: Record<string, string>
  folder: string
  catalogPath: string
  databasePath: string
  url: string
  sandbox: Sandbox
  /** Starts one process, and waits until it answers. `within` as for `runServer`. */
  start(more?: Record<string, string>, within?: readonly string[]): Promise<ServerProcess>
  get(path: string, init?: RequestInit): Promise<Response>
}

/** All that a process needs: a catalog, a folder for its database, a free port, and a Dots sandbox. */
export async function deploy(products: unknown[] = PRODUCTS): Promise<Deployment> {
  const folder = await makeFolder()
  const sandbox = await startSandbox(CREDENTIALS)
  onTestFinished(() => sandbox.close())
  const port = await freePort()
  const catalogPath = join(folder, 'catalog.json')
  const databasePath = join(folder, 'data', 'buy-links.db')
  await writeFile(catalogPath, JSON.stringify({ products }))
  const url = `http://localhost:${port}`
  const env = {
    DOTS_CLIENT_ID: CREDENTIALS.clientId,
    DOTS_API_KEY: CREDENTIALS.apiKey,
    DOTS_API_URL: sandbox.url,
    HOST: '127.0.0.1',
    PORT: String(port),
    CATALOG_PATH: catalogPath,
    DATABASE_URL: `sqlite:${databasePath}`,
  }
  return {
    env,
    folder,
    catalogPath,
    databasePath,
    url,
    sandbox,
    async start(more = {}, within = []) {
      const server = runServer({ ...env, ...more }, folder, SERVER, within)
      const answers = vi.waitUntil(() => isUp(url), { timeout: START_MS, interval: 20 })
      const failed = await Promise.race([
        answers.then(
          () => false,
          () => true,
        ),
        server.ended.then(() => true),
      ])
      if (failed) throw new Error(`the server did not start:\n${server.output()}`)
      return server
    },
    get: (path, init) => fetch(url + path, { redirect: 'manual', ...init }),
  }
}

function isUp(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`).then(
    async (response) => (await response.text()) !== '',
    () => false,
  )
}
