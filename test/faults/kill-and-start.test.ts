import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { deploy } from '../operations/server-process.ts'
import { clickOnce, type Fate } from './load.ts'

const KILLS = 10
const CLICKERS = 20
/** A kill comes somewhere within this time of the load. */
const LATEST_KILL_MS = 500
const STARTS = 5
/** Not the promise (a second on an idle machine), but what no working start takes even on a busy one. */
const HOPELESS_START_MS = 10_000

test('killed ten times under load, the store opens each time and has each sale that a buyer was told of', {
  timeout: 120_000,
}, async () => {
  const shop = await deploy()
  const told = new Set<string>()
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await shop.start({ RATE_LIMIT_MAX: '100000' })
    let isOver = false
    const clickers = Array.from({ length: CLICKERS }, async () => {
      while (!isOver) {
        const fate: Fate = await clickOnce(`${shop.url}/buy/tee`)
        if (typeof fate !== 'string' && fate.location !== undefined) told.add(fate.location)
      }
    })
    await sleep(50 + LATEST_KILL_MS * Math.random())
    server.child.kill('SIGKILL')
    expect(await server.ended).toEqual({ code: null, signal: 'SIGKILL' })
    isOver = true
    await Promise.all(clickers)
  }
  const database = new DatabaseSync(shop.databasePath)
  expect(database.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
  const kept = new Set(
    database
      .prepare("select checkout_url from checkouts where state = 'open'")
      .all()
      .map((row) => String(row.checkout_url)),
  )
  database.close()
  expect(told.size).toBeGreaterThan(KILLS)
  expect([...told].filter((url) => !kept.has(url))).toEqual([])
  await shop.start()
  expect((await shop.get('/readyz')).status).toBe(200)
  console.log(`killed ${KILLS} times: ${told.size} redirects, each with its row`)
})

test('from its start to its first sale the service takes a moment', { timeout: 120_000 }, async () => {
  const shop = await deploy()
  const times: number[] = []
  for (let n = 0; n < STARTS; n++) {
    const start = performance.now()
    const server = await shop.start()
    expect((await shop.get('/readyz')).status).toBe(200)
    times.push(performance.now() - start)
    server.child.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
  }
  const sorted = times.toSorted((a, b) => a - b).map((ms) => Math.round(ms))
  console.log(`start to ready: ${sorted.join(', ')} ms`)
  expect(sorted[0]).toBeLessThan(HOPELESS_START_MS)
})
