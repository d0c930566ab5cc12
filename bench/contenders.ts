import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { readCatalog } from '../src/catalog/catalog.ts'
import { warmOffers } from '../src/checkout/warm-offers.ts'
import { loadConfig } from '../src/config.ts'
import { newCheckoutId } from '../src/orders/session-metadata.ts'
import { openStore } from '../src/store/open-store.ts'
import { type LoadOptions, load } from './load.ts'
import { freePort, type Running, start } from './servers.ts'

export const ROOT = join(import.meta.dirname, '..')
/** As in the Dockerfile. */
const HEAP = ['--max-old-space-size=256', '--max-semi-space-size=8']
/** The product that is clicked. */
const SKU = 'tee-black-m'
/** Sessions made ahead for a run, and the most that `WARM_CHECKOUTS` takes. */
export const WARM_SESSIONS = 100_000

/** Where a redirect of the stand-in for Dots leads. */
export const SESSION_URL = /^https:\/\/checkout\.example\/s\/[\w-]{36}$/

export interface Contender {
  name: string
  path: string
  args: (port: number, upstreamUrl: string) => readonly string[]
  env?: (port: number, upstreamUrl: string, data: string) => Record<string, string>
  cwd?: string
  /** Puts so many sessions made ahead into its database: before its first start, and while nobody clicks. */
  stockUp?: (env: Record<string, string>, sessions: number) => Promise<void>
}

/** A contender that runs. */
export interface RunningContender extends Running {
  stockUp: (sessions: number) => Promise<void>
}

/** Makes what the image runs of these sources. */
export function buildBundle(): void {
  const rolldown = join(ROOT, 'node_modules/rolldown/bin/cli.mjs')
  execFileSync(process.execPath, [rolldown, '--config', 'rolldown.config.ts', '--logLevel', 'silent'], {
    cwd: ROOT,
  })
}

interface ServiceOptions {
  /** The program; that of the image by default. */
  program?: string
  env?: Record<string, string>
  stockUp?: Contender['stockUp']
}

/** The service with all that it does in production: database file, limits, checks, log at `info`. */
export function service(name: string, folder: string, options: ServiceOptions = {}): Contender {
  const { program = 'dist/buy-links.js', env = {}, stockUp } = options
  return {
    name,
    path: `/buy/${SKU}`,
    cwd: folder,
    stockUp,
    args: () => [...HEAP, join(folder, program)],
    env: (port, upstreamUrl, data) => ({
      NODE_ENV: 'production',
      DOTS_API_URL: `${upstreamUrl}/api`,
      DOTS_CLIENT_ID: 'bench',
      DOTS_API_KEY: 'bench-key-of-no-account',
      HOST: '127.0.0.1',
      PORT: String(port),
      CATALOG_PATH: join(folder, 'catalog.json'),
      DATABASE_URL: `sqlite:${join(data, 'buy-links.db')}`,
      // The limit counts each click, but lets all of them pass: they come from one address.
      RATE_LIMIT_MAX: '1000000',
      RATE_LIMIT_WINDOW: '10',
      ...env,
    }),
  }
}

export const bare: Contender = {
  name: 'bare Fastify + undici',
  path: `/buy/${SKU}`,
  args: (port, url) => [join(ROOT, 'bench/bare.ts'), String(port), url],
}

export const express: Contender = {
  name: 'Express + Stripe SDK',
  path: `/buy/${SKU}`,
  args: (port, url) => [join(ROOT, 'bench/express-stripe.ts'), String(port), url],
}

export const cold = service('dots-buy-links', ROOT)

export const warm = service('dots-buy-links, warm', ROOT, {
  env: { WARM_CHECKOUTS: String(WARM_SESSIONS) },
  stockUp,
})

/** So many are written at a time: the service has its own writes meanwhile. */
const SESSIONS_AT_ONCE = 2_000
let made = 0

/** Fills the stock as the maker would, in seconds instead of minutes. */
async function stockUp(env: Record<string, string>, sessions: number): Promise<void> {
  const config = loadConfig(env)
  const product = (await readCatalog(config.catalogPath)).find(SKU)
  if (product === undefined) throw new Error(`the catalog has no ${SKU}`)
  const { hash } = warmOffers(config).ofProduct(product)
  await (await openStore(config.databaseUrl, { withoutThread: true })).close()
  using database = new DatabaseSync(config.databaseUrl.replace('sqlite:', ''))
  const insert = database.prepare('insert into warm_sessions values (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
  database.exec('pragma busy_timeout = 1000; begin immediate')
  for (const last = made + sessions; made < last; ) {
    made += 1
    const id = `3a430000-0000-4000-8000-${String(made).padStart(12, '0')}`
    const url = `https://checkout.example/s/${id}`
    insert.run(newCheckoutId(new Date()), SKU, hash, id, id, url, at(0), at(5_000), at(10_000))
    if (made % SESSIONS_AT_ONCE !== 0) continue
    database.exec('commit')
    await sleep(10)
    database.exec('begin immediate')
  }
  database.exec('commit')
}

/** Starts the stand-in for Dots, which answers after `delayMs`. */
export async function startUpstream(delayMs: number): Promise<Running> {
  const port = await freePort()
  const args = [join(ROOT, 'bench/upstream.ts'), String(port), String(delayMs)]
  return start({ args, port, path: '/', core: 'load' })
}

/** Starts a contender with its data in the folder `data`. */
export async function startContender(
  { args, env, path, cwd, stockUp }: Contender,
  upstreamPort: number,
  data: string,
  {
    core = 'server',
    moreEnv = {},
  }: { core?: 'server' | 'any'; moreEnv?: Record<string, string> | undefined } = {},
): Promise<RunningContender> {
  mkdirSync(data, { recursive: true })
  const port = await freePort()
  const url = `http://127.0.0.1:${upstreamPort}`
  const settings = env?.(port, url, data) ?? {}
  const stock = async (sessions: number) => stockUp?.(settings, sessions)
  await stock(WARM_SESSIONS)
  const logPath = join(data, 'server.log')
  writeFileSync(logPath, '')
  const moreSettings = { ...settings, ...moreEnv }
  const running = await start({ args: args(port, url), env: moreSettings, cwd, port, path, core, logPath })
  return { ...running, stockUp: stock }
}

const WARM_UP_SECONDS = 12
const WARM_UP_PARTS = 3

/**
 * Clicks until the compilers of V8 have nothing left to do: that takes seconds, the more the larger a program is. Leaves as
 * many sessions made ahead as there were.
 */
export async function warmUp(server: RunningContender, click: LoadOptions): Promise<void> {
  for (let part = 0; part < WARM_UP_PARTS; part += 1) {
    const { answers } = await load({ ...click, seconds: WARM_UP_SECONDS / WARM_UP_PARTS })
    await server.stockUp(answers)
  }
}

/** What every answer to a click has to be. */
export const CLICK = { status: 302, location: SESSION_URL, isDistinct: true }

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Ends in the reverse order. */
export async function stopAll(running: Running[]): Promise<void> {
  for (const one of running.splice(0).reverse()) await one.stop()
}
