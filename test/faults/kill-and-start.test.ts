import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { counts } from '../counts.ts'
import { deploy } from '../operations/server-process.ts'
import { clickOnce } from './load.ts'

const KILLS = counts(10, 3)
const CLICKERS = 20
/** A kill comes at a random time after the first redirect, at most so much later. */
const MAX_LOAD_MS = 500

test(`killed ${KILLS} times under load, the store opens each time and has the row of each redirect`, {
  timeout: 120_000,
}, async () => {
  const shop = await deploy()
  const redirects = new Set<string>()
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await shop.start({ RATE_LIMIT_MAX: '100000' })
    const before = redirects.size
    let isOver = false
    const clickers = Array.from({ length: CLICKERS }, async () => {
      while (!isOver) {
        const outcome = await clickOnce(`${shop.url}/buy/tee`)
        if (typeof outcome !== 'string' && outcome.location !== undefined) redirects.add(outcome.location)
      }
    })
    await expect.poll(() => redirects.size, { interval: 5 }).toBeGreaterThan(before)
    await sleep(MAX_LOAD_MS * Math.random())
    server.child.kill('SIGKILL')
    expect(await server.ended).toEqual({ code: null, signal: 'SIGKILL' })
    isOver = true
    await Promise.all(clickers)
  }
  const database = new DatabaseSync(shop.databasePath)
  expect(database.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
  const stored = new Set(
    database
      .prepare("select checkout_url from checkouts where state = 'open'")
      .all()
      .map((row) => String(row.checkout_url)),
  )
  database.close()
  expect([...redirects].filter((url) => !stored.has(url))).toEqual([])
  await shop.start()
  expect((await shop.get('/readyz')).status).toBe(200)
  console.log(`killed ${KILLS} times: ${redirects.size} redirects, each with its row`)
})
