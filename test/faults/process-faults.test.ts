import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import { deploy, makeFolder, runServer } from '../operations/server-process.ts'
import { rows } from '../orders/sale.ts'
import { startService } from '../service.ts'
import { readyz, states } from './buyer.ts'
import { clickOnce, countFates } from './load.ts'
import type { FaultCase, Outcome } from './matrix.ts'
import { tryFaults } from './try-faults.ts'

const CROWD = 200
/** The grace in which `/readyz` tells balancers to look elsewhere, and a moment. */
const PAST_GRACE_MS = 1_400
const KILL_MS = 10_000
/** The catalog's file is looked at once a second. */
const SEEN = { timeout: 6_000, interval: 50 }
const BROKEN = [{ sku: 'cap', name: 'Cap', amount: -7 }]

/** Clicks that are under way at the signal and clicks that come during the grace: each has to be answered. */
function stopUnderLoad(signal: 'SIGTERM' | 'SIGINT'): FaultCase {
  return {
    fault: 'stop-under-load',
    injected: `${signal} in the middle of ${CROWD} clicks`,
    run: async () => {
      const shop = await deploy()
      const server = await shop.start({ RATE_LIMIT_MAX: '100000' })
      shop.sandbox.hold()
      const link = `${shop.url}/buy/tee`
      const before = Array.from({ length: CROWD / 2 }, () => clickOnce(link))
      await vi.waitFor(() => expect(shop.sandbox.requests.length).toBeGreaterThan(CROWD / 4), SEEN)
      const start = performance.now()
      server.child.kill(signal)
      await vi.waitFor(async () => expect((await shop.get('/readyz')).status).toBe(503), { timeout: 900 })
      const during = Array.from({ length: CROWD / 2 }, () => clickOnce(link))
      await sleep(PAST_GRACE_MS)
      shop.sandbox.release()
      const counts = countFates(await Promise.all([...before, ...during]))
      expect(counts).toEqual({ 302: CROWD })
      expect(await server.ended).toEqual({ code: 0, signal: null })
      const seconds = (performance.now() - start) / 1000
      expect(seconds * 1000).toBeLessThan(KILL_MS)
      const kept = rows(shop, 'checkouts')
      expect(kept.filter(({ state }) => state === 'open')).toHaveLength(CROWD)
      return { buyer: `${CROWD} x 302, none lost; exit 0 after ${seconds.toFixed(1)} s`, store: states(kept) }
    },
  }
}

async function withRedis(): Promise<Outcome> {
  const shop = await deploy()
  const server = runServer({ ...shop.env, REDIS_URL: 'redis://:redis-secret@127.0.0.1:1' }, shop.folder)
  expect(await server.ended).toEqual({ code: 1, signal: null })
  const [line, ...more] = server.log()
  expect(more).toEqual([])
  expect(line?.problems).toEqual([expect.stringMatching(/^REDIS_URL .+\.$/)])
  expect(server.output()).not.toContain('redis-secret')
  return {
    buyer: '(this version shares no limits: REDIS_URL stops the start, in a sentence)',
    store: 'nothing',
  }
}

async function brokenAtStart(): Promise<Outcome> {
  const shop = await deploy([...BROKEN, { sku: 'cap', name: '' }])
  const server = runServer(shop.env, shop.folder)
  expect(await server.ended).toEqual({ code: 1, signal: null })
  const problems = JSON.stringify(server.log()[0]?.problems)
  for (const pointer of ['/products/0/amount', '/products/1/name', '/products/1/amount'])
    expect(problems).toContain(pointer)
  expect(server.output()).not.toContain('"stack"')
  return { buyer: '(exit 1, every problem in one line)', store: 'nothing' }
}

async function brokenAtReload(): Promise<Outcome> {
  const shop = await startService()
  await writeFile(shop.catalogPath, JSON.stringify({ products: BROKEN }))
  const stale = { status: 200, body: { parts: { catalog: { status: 'stale' } } } }
  await vi.waitFor(async () => expect(await readyz(shop)).toMatchObject(stale), SEEN)
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

/** The cases of the process. */
tryFaults([
  stopUnderLoad('SIGTERM'),
  // A hanging Dots, a second signal, SIGINT and SIGKILL are tried in test/operations/stop and test/orders/killed.
  { fault: 'redis', injected: 'REDIS_URL', run: withRedis },
  { fault: 'catalog-at-start', injected: 'two broken products', run: brokenAtStart },
  { fault: 'catalog-at-start', injected: 'no such file', run: missingAtStart },
  { fault: 'catalog-at-reload', injected: 'a negative price', run: brokenAtReload },
])
