import { mkdtemp, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { type LiveCatalog, openCatalog } from '../../src/catalog/live-catalog.ts'
import { CatalogError } from '../../src/catalog/problems.ts'

const POLL_MS = 20
// So long that only what the test asks for happens.
const NEVER = 1_000_000

let folder: string
let path: string
let lines: { level: number; event: string }[]
let open: LiveCatalog[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'live-catalog-'))
  path = join(folder, 'catalog.json')
  lines = []
  open = []
})
afterEach(async () => {
  for (const live of open) await live.close()
  await rm(folder, { recursive: true })
})

const textOf = (...skus: string[]) =>
  JSON.stringify({ products: skus.map((sku) => ({ sku, name: sku, amount: 100 })) })

const log = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(JSON.parse(line)) })
const errors = () => lines.filter(({ level }) => level === log.levels.values.error)

async function start(pollMs = POLL_MS, recheckMs = NEVER): Promise<LiveCatalog> {
  const live = await openCatalog(path, { log, pollMs, recheckMs })
  open.push(live)
  // The first look at the file is what later ones are compared with; a change before it would go unseen here.
  if (recheckMs === NEVER) await somePolls()
  return live
}

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 10 })
const somePolls = () => new Promise((resolve) => setTimeout(resolve, POLL_MS * 6))

it('a broken file at the start is thrown with its problems', async () => {
  await writeFile(path, '{"products": [{}]}')
  await expect(openCatalog(path, { log })).rejects.toBeInstanceOf(CatalogError)
})

it('a file that is overwritten is loaded', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  const before = live.current
  await writeFile(path, textOf('a', 'b'))
  await eventually(() => expect(live.current.find('b')?.name).toBe('b'))
  expect(before.size).toBe(1)
  expect(live.status).toEqual({ state: 'ok', products: 2, loadedAt: expect.any(Date) })
})

it('a file replaced by a rename is loaded, and the next one too', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  for (const sku of ['b', 'c']) {
    await writeFile(`${path}.new`, textOf(sku))
    await rename(`${path}.new`, path)
    await eventually(() => expect(live.current.find(sku)).toBeDefined())
  }
  expect(live.current.find('a')).toBeUndefined()
})

it('a broken file keeps the last good catalog, is logged once, and is forgotten when it is fixed', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  await writeFile(path, '{"products": [{"sku": "a"}]}')
  await eventually(() => expect(live.status.state).toBe('stale'))
  await somePolls()
  expect(live.current.find('a')?.amount).toBe(100)
  expect(live.status.problems?.map(({ pointer }) => pointer)).toEqual([
    '/products/0/name',
    '/products/0/amount',
  ])
  expect(errors()).toHaveLength(1)
  expect(errors()[0]).toMatchObject({ event: 'catalog.rejected', path, problems: live.status.problems })

  await writeFile(path, '{"products": [')
  await eventually(() => expect(errors()).toHaveLength(2))

  await writeFile(path, textOf('fixed'))
  await eventually(() => expect(live.current.find('fixed')).toBeDefined())
  expect(live.status.state).toBe('ok')
  expect(live.status.problems).toBeUndefined()
})

it('a broken file that goes back to the version in use is accepted again', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER)
  await writeFile(path, 'x')
  expect(await live.reload()).toBe('rejected')
  await writeFile(path, textOf('a'))
  expect(await live.reload()).toBe('unchanged')
  expect(live.status.state).toBe('ok')
  expect(lines.map(({ event }) => event)).toEqual(['catalog.rejected', 'catalog.restored'])
})

it('a deleted file keeps the last good catalog, is logged once, and is loaded when it comes back', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  await rm(path)
  await eventually(() => expect(live.status.state).toBe('stale'))
  await somePolls()
  expect(live.current.find('a')).toBeDefined()
  expect(live.status.problems?.[0]?.message).toContain('there is no file')
  expect(errors()).toHaveLength(1)
  await writeFile(path, textOf('b'))
  await eventually(() => expect(live.current.find('b')).toBeDefined())
})

it('a change that keeps the size and the time of the last write is still loaded', async () => {
  await writeFile(path, textOf('a'))
  const { atime, mtime } = await stat(path)
  const live = await start()
  await writeFile(path, textOf('b'))
  await utimes(path, atime, mtime)
  await eventually(() => expect(live.current.find('b')).toBeDefined())
})

it('the log line of a catalog with many problems names twenty and counts them all', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER)
  await writeFile(path, JSON.stringify({ products: Array.from({ length: 25 }, () => 1) }))
  expect(await live.reload()).toBe('rejected')
  expect(errors()[0]).toMatchObject({ problems: { length: 20 }, problemCount: 25 })
  expect(live.status).toMatchObject({ problems: { length: 20 }, problemCount: 25 })
})

it('reload says what it did, and several at once come one after the other', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER)
  await writeFile(path, textOf('b'))
  expect(await Promise.all([live.reload(), live.reload(), live.reload()])).toEqual([
    'reloaded',
    'unchanged',
    'unchanged',
  ])
  expect(lines).toEqual([
    { level: 30, event: 'catalog.reloaded', path, products: 1, msg: 'catalog reloaded' },
  ])
})

it('after close the file is no longer read and the catalog stays readable', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  await live.close()
  await writeFile(path, textOf('b'))
  await somePolls()
  expect(live.current.find('a')).toBeDefined()
  expect(await live.reload()).toBe('unchanged')
})

it('a change that stat does not show is found by one more read after the last change', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER, 50)
  await writeFile(path, textOf('b'))
  await eventually(() => expect(live.current.find('b')).toBeDefined())
})

it('a file that cannot be read is tried again until it can, without a change that stat shows', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER, 50)
  await rm(path)
  expect(await live.reload()).toBe('rejected')
  await new Promise((resolve) => setTimeout(resolve, 150))
  await writeFile(path, textOf('b'))
  await eventually(() => expect(live.current.find('b')).toBeDefined())
})

/** Larger than what is parsed on the main thread. */
const largeTextOf = (products: number, amount: number) => {
  const description = 'x'.repeat(Math.ceil(1.2e6 / products))
  const entry = (_: unknown, n: number) => ({ sku: `p-${n}`, name: 'P', amount, description })
  return JSON.stringify({ products: Array.from({ length: products }, entry) })
}

it('a large file is reloaded in slices, with other work between them', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER)
  await writeFile(path, largeTextOf(20_000, 5))
  let turns = 0
  const others = setInterval(() => {
    turns += 1
  }, 0)
  expect(await live.reload()).toBe('reloaded')
  clearInterval(others)
  expect(turns).toBeGreaterThan(10)
  expect(live.current.products.map(({ sku }) => sku).slice(-2)).toEqual(['p-19998', 'p-19999'])
  for (const n of [0, 499, 500, 10_000, 19_999]) {
    const product = live.current.find(`p-${n}`)
    expect(product).toMatchObject({ amount: 5, from: Number.NEGATIVE_INFINITY })
  }
  expect(live.current.size).toBe(20_000)
  expect(await live.reload()).toBe('unchanged')
})

it('a large file that is broken, without products, or the known one again has the same outcomes', async () => {
  const good = largeTextOf(300, 5)
  await writeFile(path, good)
  const live = await start(NEVER)
  await writeFile(path, largeTextOf(300, 0))
  expect([await live.reload(), await live.reload()]).toEqual(['rejected', 'rejected'])
  expect(errors()).toHaveLength(1)
  expect(live.status).toMatchObject({ problemCount: 300, problems: { length: 20 } })
  expect(live.status.problems?.[0]).toMatchObject({ pointer: '/products/0/amount', line: 1, column: 38 })
  await writeFile(path, good)
  expect(await live.reload()).toBe('unchanged')
  expect(lines.at(-1)?.event).toBe('catalog.restored')
  await writeFile(path, '{"products": []}'.padEnd(2_000_000))
  expect(await live.reload()).toBe('reloaded')
  expect(live.current.size).toBe(0)
})
