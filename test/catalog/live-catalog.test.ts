import { mkdtemp, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { CatalogError } from '../../src/catalog/catalog.ts'
import { LiveCatalog } from '../../src/catalog/live-catalog.ts'

const POLL_MILLISECONDS = 20
// So long that only what the test asks for happens.
const NEVER = 1_000_000

let folder: string
let path: string
let lines: { level: 'info' | 'error'; facts: object; message: string }[]
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

const log = {
  info: (facts: object, message: string) => void lines.push({ level: 'info', facts, message }),
  error: (facts: object, message: string) => void lines.push({ level: 'error', facts, message }),
}
const errors = () => lines.filter(({ level }) => level === 'error')

async function start(pollMilliseconds = POLL_MILLISECONDS): Promise<LiveCatalog> {
  const live = await LiveCatalog.open(path, { log, pollMilliseconds })
  open.push(live)
  return live
}

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 10 })
const somePolls = () => new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS * 6))

it('a broken file at the start is thrown with its problems', async () => {
  await writeFile(path, '{"products": [{}]}')
  await expect(LiveCatalog.open(path, { log })).rejects.toBeInstanceOf(CatalogError)
})

it('a file written in place is taken', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  const before = live.current
  await writeFile(path, textOf('a', 'b'))
  await eventually(() => expect(live.current.find('b')?.name).toBe('b'))
  expect(before.size).toBe(1)
  expect(live.status).toEqual({ state: 'ok', products: 2, loadedAt: expect.any(Date) })
})

it('a file replaced by a rename is taken, and replaced once more too', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  for (const sku of ['b', 'c']) {
    await writeFile(`${path}.new`, textOf(sku))
    await rename(`${path}.new`, path)
    await eventually(() => expect(live.current.find(sku)).toBeDefined())
  }
  expect(live.current.find('a')).toBeUndefined()
})

it('a broken file keeps the last good catalog, is logged once, and is forgotten when mended', async () => {
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
  expect(errors()[0]?.facts).toMatchObject({ path, problems: live.status.problems })

  await writeFile(path, '{"products": [')
  await eventually(() => expect(errors()).toHaveLength(2))

  await writeFile(path, textOf('mended'))
  await eventually(() => expect(live.current.find('mended')).toBeDefined())
  expect(live.status.state).toBe('ok')
  expect(live.status.problems).toBeUndefined()
})

it('a broken file that goes back to the version in use is in order again', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER)
  await writeFile(path, 'x')
  expect(await live.reload()).toBe('rejected')
  await writeFile(path, textOf('a'))
  expect(await live.reload()).toBe('unchanged')
  expect(live.status.state).toBe('ok')
})

it('a deleted file keeps the last good catalog, is logged once, and is taken when it comes back', async () => {
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

it('a change that keeps the size and the time of the last write is still taken', async () => {
  await writeFile(path, textOf('a'))
  const { atime, mtime } = await stat(path)
  const live = await start()
  await writeFile(path, textOf('b'))
  await utimes(path, atime, mtime)
  await eventually(() => expect(live.current.find('b')).toBeDefined())
})

it('the log line of a catalog with many problems names twenty and counts the rest', async () => {
  await writeFile(path, textOf('a'))
  const live = await start(NEVER)
  await writeFile(path, JSON.stringify({ products: Array.from({ length: 25 }, () => 1) }))
  expect(await live.reload()).toBe('rejected')
  expect(errors()[0]?.facts).toMatchObject({ problems: { length: 20 }, moreProblems: 5 })
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
  expect(lines.map(({ message }) => message)).toEqual(['catalog reloaded'])
})

it('after close the file is left alone and the catalog stays readable', async () => {
  await writeFile(path, textOf('a'))
  const live = await start()
  await live.close()
  await writeFile(path, textOf('b'))
  await somePolls()
  expect(live.current.find('a')).toBeDefined()
  expect(await live.reload()).toBe('unchanged')
})
