import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { EVERY_TIME, rowsOf, unescaped } from '../checkout/clicks.ts'
import { calls, expectNothingTold, expectProblem, readyz, shopWithContact, states } from './buyer.ts'
import type { Outcome } from './matrix.ts'
import { slowDots } from './slow-dots.ts'
import { tryFaults } from './try-faults.ts'

/** The first rest of the breaker, and a moment. */
const REST_MS = 5_100
const AT_ONCE_MS = 1_000
const CROWD = 1_000

async function breakerOpens(): Promise<Outcome> {
  const shop = await shopWithContact()
  shop.sandbox.failNext({ status: 500 }, 5, 'create')
  for (let n = 0; n < 3; n++) expect((await shop.get('/buy/tee')).status).toBe(503)
  expect(calls(shop)).toBe(5)
  const start = performance.now()
  const outcome = await expectProblem(shop, {
    code: 'dots-breaker-open',
    retryAfter: [1, 5],
    level: 'warn',
    row: 'failed',
  })
  expect(performance.now() - start).toBeLessThan(AT_ONCE_MS)
  expect(calls(shop)).toBe(5)
  const degraded = { status: 200, body: { status: 'degraded', parts: { dots: { status: 'degraded' } } } }
  expect(await readyz(shop)).toMatchObject(degraded)

  await sleep(REST_MS)
  const answers = await Promise.all(Array.from({ length: 5 }, () => shop.get('/buy/tee')))
  // One of them was the probe; who came beside it was told to wait, or came after it.
  expect(answers.map(({ status }) => status)).toContain(302)
  await expect.poll(async () => (await shop.get('/buy/tee')).status).toBe(302)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  const events = shop.log
    .map(({ event }) => String(event))
    .filter((event) => event.startsWith('dots.breaker.'))
  expect(events).toEqual(['dots.breaker.open', 'dots.breaker.half-open', 'dots.breaker.closed'])
  expectNothingTold(shop)
  return { ...outcome, buyer: `${outcome.buyer}, at once; /readyz 200 degraded; well again by one probe` }
}

async function breakerStaysOpen(): Promise<Outcome> {
  const shop = await shopWithContact()
  shop.sandbox.failNext({ status: 500 }, 6, 'create')
  for (let n = 0; n < 3; n++) await shop.get('/buy/tee')
  await sleep(REST_MS)
  const probe = await shop.get('/buy/tee')
  expect([probe.status, calls(shop)]).toEqual([503, 6])
  const outcome = await expectProblem(shop, {
    code: 'dots-breaker-open',
    retryAfter: [6, 10],
    level: 'warn',
    row: 'failed',
  })
  expect(calls(shop)).toBe(6)
  return outcome
}

async function pauseForAll(): Promise<Outcome> {
  const shop = await shopWithContact()
  shop.sandbox.failNext({ status: 429, headers: { 'retry-after': '4' } }, EVERY_TIME, 'create')
  const first = shop.get('/buy/tee')
  await expect.poll(() => calls(shop)).toBe(1)
  const outcome = await expectProblem(shop, {
    code: 'dots-paused',
    retryAfter: [1, 4],
    level: 'warn',
    row: 'failed',
  })
  expect(calls(shop)).toBe(1)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'degraded' } })
  expect((await first).status).toBe(503)
  return outcome
}

async function crowd(answerAfterMs: number, cap: number) {
  const dots = await slowDots(answerAfterMs)
  const shop = await shopWithContact({ env: { DOTS_API_URL: dots.url, DOTS_MAX_IN_FLIGHT: String(cap) } })
  const start = performance.now()
  const answers = await Promise.all(Array.from({ length: CROWD }, () => shop.get('/buy/tee')))
  const seconds = (performance.now() - start) / 1000
  const sent = answers.filter(({ status }) => status === 302)
  expect(new Set(sent.map(({ headers }) => headers.get('location'))).size).toBe(sent.length)
  expect(dots.most).toBeLessThanOrEqual(cap)
  const rows = rowsOf(shop)
  expect(rows).toHaveLength(CROWD)
  expect(rows.filter(({ state }) => state === 'open')).toHaveLength(sent.length)
  return { dots, answers, sent: sent.length, seconds, store: states(rows) }
}

async function thousand(): Promise<Outcome> {
  const { dots, sent, store } = await crowd(30, 128)
  expect(sent).toBe(CROWD)
  // On a machine that is short of breath a call may be late, and made once more.
  expect(dots.sessions).toBeLessThanOrEqual(CROWD * 1.2)
  return { buyer: `302 to a session of each one's own, ${dots.most} calls at once at the most`, store }
}

async function thousandAtASlowDots(): Promise<Outcome> {
  const { dots, answers, sent, seconds, store } = await crowd(500, 8)
  // Eight seconds bound each click. The clients share this process with the service, and a busy machine makes both slow.
  expect(seconds).toBeLessThan(40)
  expect(sent).toBeGreaterThan(0)
  const refused = answers.filter(({ status }) => status !== 302)
  expect(refused.length).toBeGreaterThan(0)
  for (const answer of refused) {
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    expect(unescaped(await answer.text())).toContain('You have not been charged')
  }
  return { buyer: `${sent} x 302, ${refused.length} x 503 in time, ${dots.most} calls at once`, store }
}

/** The cases of the guard around the calls to Dots. */
tryFaults([
  { fault: 'breaker-open', injected: 'five failures in a row, then a good Dots', run: breakerOpens },
  { fault: 'breaker-open', injected: 'a probe that fails, too', run: breakerStaysOpen },
  { fault: 'asked-to-wait', injected: 'a click during the pause', run: pauseForAll },
  { fault: 'thousand', injected: 'a thousand at once, Dots takes 30 ms', run: thousand },
  { fault: 'thousand', injected: 'the same, Dots takes 500 ms and the cap is 8', run: thousandAtASlowDots },
])
