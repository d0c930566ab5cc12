import { writeFile } from 'node:fs/promises'
import { expect, vi } from 'vitest'
import { deploy, makeFolder, runServer } from '../operations/server-process.ts'
import { startService } from '../service.ts'
import { readyz, tryFaults } from './buyer.ts'
import type { Outcome } from './matrix.ts'

/** The catalog's file is checked once a second. */
const NOTICED = { timeout: 15_000, interval: 50 }
const BROKEN = [{ sku: 'cap', name: 'Cap', amount: -7 }]

async function withRedis(): Promise<Outcome> {
  const shop = await deploy()
  const server = runServer({ ...shop.env, REDIS_URL: 'redis://:redis-secret@127.0.0.1:1' }, shop.folder)
  expect(await server.ended).toEqual({ code: 1, signal: null })
  const [line, ...more] = server.log()
  expect(more).toEqual([])
  expect(line?.problems).toEqual([expect.stringMatching(/^REDIS_URL .+\.$/)])
  expect(server.output()).not.toContain('redis-secret')
  return { buyer: '(not supported yet: exit 1, in a sentence)', store: 'nothing' }
}

async function brokenAtReload(): Promise<Outcome> {
  const shop = await startService()
  await writeFile(shop.catalogPath, JSON.stringify({ products: BROKEN }))
  const stale = { status: 200, body: { parts: { catalog: { status: 'stale' } } } }
  await vi.waitFor(async () => expect(await readyz(shop)).toMatchObject(stale), NOTICED)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect((await shop.get('/buy/cap')).status).toBe(404)
  const errors = shop.log.filter(({ level }) => level === 50)
  expect(errors).toHaveLength(1)
  expect(JSON.stringify(errors)).toContain('/products/0/amount')
  return { buyer: '302 by the last good catalog', store: '1 open' }
}

async function missingAtStart(): Promise<Outcome> {
  const folder = await makeFolder()
  const shop = await deploy()
  const server = runServer({ ...shop.env, CATALOG_PATH: `${folder}/none.json` }, folder)
  expect((await server.ended).code).toBe(1)
  expect(server.log()).toHaveLength(1)
  return { buyer: '(exit 1, one line)', store: 'nothing' }
}

tryFaults([
  { fault: 'redis', injected: 'REDIS_URL', run: withRedis },
  { fault: 'catalog-at-start', injected: 'no such file', run: missingAtStart },
  { fault: 'catalog-at-reload', injected: 'a negative price', run: brokenAtReload },
])
