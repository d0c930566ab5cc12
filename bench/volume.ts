import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from '../src/store/open-store.ts'
import {
  CLICK,
  type Contender,
  cold,
  median,
  ROOT,
  service,
  startContender,
  startUpstream,
  stopAll,
  warmUp,
} from './contenders.ts'
import { load, percentile } from './load.ts'
import { cpuMicroseconds, memoryMb, type Running } from './servers.ts'

const CONNECTIONS = 64
const PAIRS = 5
const DATABASE = 'buy-links.db'

/** Compares clicks in a shop that has this many checkouts with those in an empty one. */
export async function manyRows(rows: number, seconds: number, folder: string): Promise<void> {
  const full = join(folder, 'full')
  await fill(full, rows)
  const shops = [
    { name: 'empty', contender: cold, data: (pair: number) => join(folder, `empty-${pair}`) },
    { name: `${rows} checkouts`, contender: cold, data: () => full },
  ] as const
  await comparePairs(shops, seconds)
}

/** Compares clicks on random products of a large catalog with those of the sample catalog, and reloads the large one. */
export async function manyProducts(products: number, seconds: number, folder: string): Promise<void> {
  const shop = join(folder, 'shop')
  mkdirSync(shop)
  const catalogPath = join(shop, 'catalog.json')
  writeCatalog(catalogPath, products, 'first')
  const large: Contender = {
    ...service(`${products} products`, ROOT, { env: { CATALOG_PATH: catalogPath } }),
    path: '/buy/product-0',
  }
  const shops = [
    { name: 'sample catalog', contender: cold, data: (pair: number) => join(folder, `small-${pair}`) },
    { name: large.name, contender: large, data: (pair: number) => join(folder, `large-${pair}`) },
  ] as const
  await comparePairs(shops, seconds, () => `/buy/product-${Math.floor(Math.random() * products)}`)
  await reloadBesideRequests(large, catalogPath, products, folder)
}

interface Shop {
  name: string
  contender: Contender
  data: (pair: number) => string
}

/** `pathOfLast`: of each click in the second shop. */
async function comparePairs(
  shops: readonly [Shop, Shop],
  seconds: number,
  pathOfLast?: () => string,
): Promise<void> {
  const ratios: number[] = []
  const starts = new Map<string, number[]>(shops.map(({ name }) => [name, []]))
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const cpu: number[] = []
    for (const [index, { name, contender, data }] of shops.entries()) {
      const path = index === 1 && pathOfLast ? pathOfLast : () => contender.path
      const measured = await clickCost(contender, data(pair), seconds, path)
      cpu.push(measured.cpuMicroseconds)
      starts.get(name)?.push(measured.startMs)
      console.error(`pair ${pair + 1}: ${name}: ${measured.cpuMicroseconds.toFixed(0)} µs a click`)
    }
    ratios.push((cpu[1] ?? Number.NaN) / (cpu[0] ?? Number.NaN))
  }
  console.log(
    `CPU a click, ${shops[1].name} ÷ ${shops[0].name}: ${median(ratios).toFixed(2)}, the median of ${PAIRS} pairs`,
  )
  for (const [name, times] of starts)
    console.log(`start to first redirect, ${name}: ${median(times).toFixed(0)} ms`)
}

async function clickCost(contender: Contender, data: string, seconds: number, path: () => string) {
  const running: Running[] = []
  try {
    const upstream = await startUpstream(0)
    running.push(upstream)
    const server = await startContender(contender, upstream.port, data)
    running.push(server)
    const click = { ...CLICK, port: server.port, path, connections: CONNECTIONS }
    await warmUp(server, click)
    const before = cpuMicroseconds(server.pid)
    const { answers } = await load({ ...click, seconds })
    return { cpuMicroseconds: (cpuMicroseconds(server.pid) - before) / answers, startMs: server.startMs }
  } finally {
    await stopAll(running)
  }
}

/** Asks for `/healthz` again and again while the catalog is replaced by an entirely different one. */
async function reloadBesideRequests(
  contender: Contender,
  path: string,
  products: number,
  folder: string,
): Promise<void> {
  const running: Running[] = []
  try {
    const upstream = await startUpstream(0)
    running.push(upstream)
    const server = await startContender(contender, upstream.port, join(folder, 'reload'))
    running.push(server)
    const log = () => readFileSync(join(folder, 'reload', 'server.log'), 'utf8')
    // Before, since this process measures meanwhile.
    writeCatalog(`${path}.second`, products, 'second')
    await sleep(500)
    const asked = load({
      port: server.port,
      path: () => '/healthz',
      status: 200,
      connections: 1,
      pauseMs: 2,
      seconds: 12,
    })
    await sleep(1_000)
    renameSync(`${path}.second`, path)
    const health = await asked
    if (!log().includes('catalog.reloaded')) throw new Error('the catalog was not reloaded')
    console.log(
      `/healthz while ${products} products are reloaded: p50 ${percentile(health, 0.5).toFixed(1)}, longest ${percentile(health, 1).toFixed(1)} ms`,
    )
  } finally {
    await stopAll(running)
  }
}

function writeCatalog(path: string, products: number, edition: string): void {
  const list = Array.from({ length: products }, (_, index) => ({
    sku: `product-${index}`,
    name: `Product ${index}, ${edition} edition`,
    description: 'Something that somebody may want to have, in the colour of the season.',
    images: [`https://shop.example/pictures/${edition}/${index}.jpg`],
    amount: 1_000 + (index % 9_000),
    metadata: { shelf: String(index % 500) },
  }))
  writeFileSync(path, JSON.stringify({ products: list }))
}

/** Clicks without end, and prints the memory after each tenth. */
export async function manyClicks(clicks: number, folder: string): Promise<void> {
  const running: Running[] = []
  try {
    const upstream = await startUpstream(0)
    running.push(upstream)
    const server = await startContender(cold, upstream.port, join(folder, 'clicks'))
    running.push(server)
    console.log('| clicks | memory MB |\n| --- | --- |')
    console.log(`| 0 | ${memoryMb(server.pid).toFixed(0)} |`)
    for (let tenth = 1; tenth <= 10; tenth += 1) {
      const click = { ...CLICK, port: server.port, path: () => cold.path }
      await load({ ...click, connections: CONNECTIONS, requests: clicks / 10 })
      console.log(`| ${(clicks / 10) * tenth} | ${memoryMb(server.pid).toFixed(0)} |`)
    }
  } finally {
    await stopAll(running)
  }
}

/** Fills a new database with checkouts of the last year, most of them expired, a tenth paid. */
async function fill(data: string, rows: number): Promise<void> {
  mkdirSync(data)
  const path = join(data, DATABASE)
  await (await openStore(`sqlite:${path}`, { withoutThread: true })).close()
  using database = new DatabaseSync(path)
  database.exec('pragma synchronous = off')
  const insert =
    database.prepare(`insert into checkouts (id, state, items, amount_total, currency, link, metadata, session_id,
    payment_intent_id, checkout_url, expires_at, created_at, updated_at, completed_at, browser_id, purchase_hash, reusable_until)
    values (?, ?, ?, 2500, 'usd', '/buy/tee-black-m', '{"color":"black"}', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const items = JSON.stringify([{ sku: 'tee-black-m', name: 'Black T-shirt, M', quantity: 1, amount: 2500 }])
  const firstAt = Date.now() - 365 * 86_400_000
  const random = (n: number, what: string) => createHash('sha256').update(`${what} ${n}`).digest('hex')
  const uuid = (hex: string) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')
  database.exec('begin')
  for (let n = 0; n < rows; n += 1) {
    const at = firstAt + Math.floor((n / rows) * 360 * 86_400_000)
    const time = new Date(at).toISOString()
    const end = new Date(at + 10_799_000).toISOString()
    const prefix = at.toString(16).padStart(12, '0')
    const session = uuid(random(n, 'session'))
    const isPaid = n % 10 === 0
    insert.run(
      prefix + random(n, 'id').slice(0, 32),
      isPaid ? 'complete' : 'expired',
      items,
      session,
      uuid(random(n, 'intent')),
      `https://checkout.example/s/${session}`,
      end,
      time,
      time,
      isPaid ? time : null,
      prefix + random(n, 'browser').slice(0, 43),
      random(n % 100, 'purchase').slice(0, 43),
      end,
    )
  }
  database.exec('commit')
  // A whole file, as it lies there after a night.
  database.exec('pragma wal_checkpoint(truncate)')
}
