import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { counts } from '../counts.ts'
import { deploy } from '../operations/server-process.ts'
import { clickOnce } from './load.ts'

const KILLS = counts(10, 3)
const CLICKERS = 20
/** A kill comes at a random time after the first redirect, at most so much later; sessions are made ahead after a second. */
const SHOPS = [
  { what: 'that makes each session at its click', warm: '0', maxLoadMs: 500 },
  { what: 'that makes sessions ahead', warm: '1000', maxLoadMs: 3_000 },
]

test.each(SHOPS)(
  `a shop $what, killed ${KILLS} times under load, has the row of each redirect, and gives none twice`,
  {
    timeout: 120_000,
  },
  async ({ warm, maxLoadMs }) => {
    const shop = await deploy()
    const redirects = new Set<string>()
    let given = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await shop.start({ RATE_LIMIT_MAX: '100000', WARM_CHECKOUTS: warm })
      const before = redirects.size
      let isOver = false
      const clickers = Array.from({ length: CLICKERS }, async () => {
        while (!isOver) {
          const outcome = await clickOnce(`${shop.url}/buy/tee`)
          if (typeof outcome === 'string' || outcome.location === undefined) continue
          redirects.add(outcome.location)
          given += 1
        }
      })
      await expect.poll(() => redirects.size, { interval: 5 }).toBeGreaterThan(before)
      await sleep(maxLoadMs * Math.random())
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
    const stock = database.prepare('select checkout_url from warm_sessions').all()
    database.close()
    expect(given).toBe(redirects.size)
    expect(stock.filter(({ checkout_url: url }) => stored.has(String(url)))).toEqual([])
    const made = [...shop.sandbox.sessions.values()].filter(({ metadata }) => metadata?.warm !== undefined)
    const used = made.filter(({ checkout_session_url: url }) => redirects.has(url))
    if (warm === '0') expect(made).toEqual([])
    else expect(used.length).toBeGreaterThan(0)
    expect([...redirects].filter((url) => !stored.has(url))).toEqual([])
    await shop.start()
    expect((await shop.get('/readyz')).status).toBe(200)
    console.log(
      `killed ${KILLS} times: ${redirects.size} redirects, each with its row, ${used.length} of them made ahead`,
    )
  },
)
