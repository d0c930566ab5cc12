import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type App, type AppOptions, buildApp } from '../src/app.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../src/sandbox/sandbox.ts'

export const CREDENTIALS = { clientId: 'test-client', apiKey: 'test-key-5d41402abc4b2a76' }

/** The catalog of most tests. */
export const PRODUCTS = [
  {
    sku: 'tee',
    name: 'Black T-shirt, M',
    description: 'Heavy cotton.',
    images: ['https://shop.example/tee.jpg'],
    amount: 2500,
    metadata: { color: 'black' },
    after_completion: { custom_message: 'See you soon.' },
  },
  { sku: 'mug', name: 'Mug', amount: 1200, adjustable_quantity: { minimum: 2, maximum: 6 } },
  { sku: 'lamp', name: 'Lamp', amount: 9900, active: false, inactive_message: 'Back in spring.' },
]

/**
 * A thread takes a third of a second to start from the sources. The suites of the store, and those that start the service
 * as a process, have one.
 */
export const STORE = { withoutThread: true }
/** The longest time that a timer takes. */
const NEVER_MS = 2 ** 31 - 1

export interface Service extends App {
  /** The settings that it was started with. */
  env: Record<string, string>
  /** Where the service answers; also its PUBLIC_URL. */
  url: string
  sandbox: Sandbox
  /** The log so far, a parsed line each. */
  log: Record<string, unknown>[]
  /** The raw text of the log. */
  logText(): string
  folder: string
  catalogPath: string
  databasePath: string
  /** A request that follows no redirect. */
  get(path: string, init?: RequestInit): Promise<Response>
}

export interface ServiceOptions {
  products?: unknown[]
  env?: Record<string, string>
  now?: () => Date
  /** The monotonic clock, in milliseconds. */
  clock?: () => number
  sandbox?: Partial<SandboxOptions>
  /** How often the background jobs run. */
  pace?: AppOptions['pace']
  /** Timeouts and other options of the calls to Dots. */
  dots?: AppOptions['dots']
}

/** A real service on a free port, with its own sandbox, catalog and database; all gone when the test is over. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-test-'))
  const catalogPath = join(folder, 'catalog.json')
  const databasePath = join(folder, 'buy-links.db')
  await writeFile(catalogPath, JSON.stringify({ products: options.products ?? PRODUCTS }))
  const { now, clock, pace } = options
  // The first call would come in the midst of calls that a test counts or makes fail.
  const dots = { firstCallMs: NEVER_MS, ...options.dots }
  const sandbox = await startSandbox({ ...CREDENTIALS, now, ...options.sandbox })
  const port = await freePort()
  const url = `http://localhost:${port}`
  const env = {
    DOTS_CLIENT_ID: CREDENTIALS.clientId,
    DOTS_API_KEY: CREDENTIALS.apiKey,
    DOTS_API_URL: sandbox.url,
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: url,
    CATALOG_PATH: catalogPath,
    DATABASE_URL: `sqlite:${databasePath}`,
    RATE_LIMIT_MAX: '100000',
    ...options.env,
  }
  const lines: string[] = []
  const logDestination = { write: (line: string) => void lines.push(line) }
  const { app, services } = await buildApp(env, {
    now,
    clock,
    pace,
    dots,
    logDestination,
    storeOptions: STORE,
  })
  await app.listen({ host: services.config.host, port })
  onTestFinished(async () => {
    await app.close()
    await sandbox.close()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    app,
    services,
    env,
    url,
    sandbox,
    get log() {
      return lines.map((line): Record<string, unknown> => JSON.parse(line))
    },
    logText: () => lines.join(''),
    folder,
    catalogPath,
    databasePath,
    get: (path, init) => fetch(url + path, { redirect: 'manual', ...init }),
  }
}

/** Ports of each worker's own, below those that the system gives out, so that no two tests get the same one. */
const PORTS_PER_WORKER = 2_000
const FIRST_PORT = 10_000 + PORTS_PER_WORKER * Number(process.env.VITEST_POOL_ID ?? 0)
let portsTried = Math.floor(Math.random() * PORTS_PER_WORKER)

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    portsTried += 1
    const port = FIRST_PORT + (portsTried % PORTS_PER_WORKER)
    const probe = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise((resolve) => probe.close(resolve))
    if (isFree) return port
  }
}
