import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import { rowsOf, unescaped } from '../checkout/clicks.ts'
import { counts } from '../counts.ts'
import { web } from '../dots/servers.ts'
import { deploy } from '../operations/server-process.ts'
import { rows } from '../orders/sale.ts'
import { shopWithContact, states, tryFaults } from './buyer.ts'
import { clickOnce, countOutcomes } from './load.ts'
import type { Outcome } from './matrix.ts'

const CROWD = counts(1_000, 200)
/** Half of the time that a click has otherwise: enough to see that it bounds each of them. */
const DEADLINE_MS = 4_000
const STOPPED_CROWD = counts(200, 60)
/** The grace in which `/readyz` tells load balancers to send clicks elsewhere, and a moment. */
const PAST_GRACE_MS = 1_400
const KILL_MS = 10_000

/** A Dots that is slow, and counts how many calls it has at once. */
async function slowDots(answerAfterMs: number) {
  const dots = { url: '', inFlight: 0, maxInFlight: 0, sessions: 0 }
  dots.url = await web(async (request, response) => {
    request.resume()
    dots.maxInFlight = Math.max(dots.maxInFlight, ++dots.inFlight)
    // A call whose connection is closed is no longer in flight.
    response.once('close', () => dots.inFlight--)
    await sleep(answerAfterMs)
    if (response.destroyed) return
    const id = randomUUID()
    dots.sessions++
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ id, status: 'open', checkout_session_url: `https://pay.example/${id}` }))
  })
  return dots
}

async function crowd(answerAfterMs: number, cap: number, clickMs?: number) {
  const dots = await slowDots(answerAfterMs)
  const shop = await shopWithContact({
    env: { DOTS_API_URL: dots.url, DOTS_MAX_IN_FLIGHT: String(cap) },
    dots: clickMs === undefined ? {} : { deadlinesMs: { click: clickMs } },
  })
  const answers = await Promise.all(Array.from({ length: CROWD }, () => shop.get('/buy/tee')))
  const sent = answers.filter(({ status }) => status === 302)
  expect(new Set(sent.map(({ headers }) => headers.get('location'))).size).toBe(sent.length)
  expect(dots.maxInFlight).toBeLessThanOrEqual(cap)
  await expect.poll(() => rowsOf(shop).length).toBe(CROWD)
  const rows = rowsOf(shop)
  expect(rows.filter(({ state }) => state === 'open')).toHaveLength(sent.length)
  return { dots, answers, sent: sent.length, store: states(rows) }
}

async function atAGoodDots(): Promise<Outcome> {
  const { dots, sent, store } = await crowd(30, 128)
  expect(sent).toBe(CROWD)
  // On a busy machine a call may be late, and made once more.
  expect(dots.sessions).toBeLessThanOrEqual(CROWD * 1.2)
  return { buyer: `302 to a session of each one's own, at most ${dots.maxInFlight} calls at once`, store }
}

async function atASlowDots(): Promise<Outcome> {
  const start = performance.now()
  const { dots, answers, sent, store } = await crowd(500, 8, DEADLINE_MS)
  // The clients share this process with the service, and a busy machine makes both slow.
  expect(performance.now() - start).toBeLessThan(40_000)
  expect(sent).toBeGreaterThan(0)
  const refused = answers.filter(({ status }) => status !== 302)
  expect(refused.length).toBeGreaterThan(0)
  for (const answer of refused) {
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    expect(unescaped(await answer.text())).toContain('You have not been charged')
  }
  return { buyer: `${sent} x 302, ${refused.length} x 503 in time, ${dots.maxInFlight} calls at once`, store }
}

/** Clicks that are under way at the signal and clicks that come during the grace: each has to be answered. */
async function stopUnderLoad(): Promise<Outcome> {
  const shop = await deploy()
  const server = await shop.start({ RATE_LIMIT_MAX: '100000' })
  shop.sandbox.hold()
  const link = `${shop.url}/buy/tee`
  const half = () => Array.from({ length: STOPPED_CROWD / 2 }, () => clickOnce(link))
  const before = half()
  const reached = () => shop.sandbox.requests.length > STOPPED_CROWD / 4
  await vi.waitUntil(reached, { timeout: 6_000 })
  const start = performance.now()
  server.child.kill('SIGTERM')
  await vi.waitFor(async () => expect((await shop.get('/readyz')).status).toBe(503), { timeout: 900 })
  const during = half()
  await sleep(PAST_GRACE_MS)
  shop.sandbox.release()
  expect(countOutcomes(await Promise.all([...before, ...during]))).toEqual({ 302: STOPPED_CROWD })
  expect(await server.ended).toEqual({ code: 0, signal: null })
  const ms = performance.now() - start
  expect(ms).toBeLessThan(KILL_MS)
  const stored = rows(shop, 'checkouts')
  expect(stored.filter(({ state }) => state === 'open')).toHaveLength(STOPPED_CROWD)
  const seconds = (ms / 1000).toFixed(1)
  return { buyer: `${STOPPED_CROWD} x 302, none lost; exit 0 after ${seconds} s`, store: states(stored) }
}

tryFaults([
  { fault: 'crowd', injected: `${CROWD} at once, Dots takes 30 ms`, run: atAGoodDots },
  { fault: 'crowd', injected: 'the same, Dots takes 500 ms and the cap is 8', run: atASlowDots },
  // A hanging Dots, a second signal, SIGINT and SIGKILL are tried in test/operations/stop and test/orders/killed.
  {
    fault: 'stop-under-load',
    injected: `SIGTERM in the middle of ${STOPPED_CROWD} clicks`,
    run: stopUnderLoad,
  },
])
