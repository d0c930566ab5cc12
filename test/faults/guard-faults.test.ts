import { expect } from 'vitest'
import { EVERY_TIME } from '../checkout/clicks.ts'
import { movableClock } from '../orders/sale.ts'
import { calls, expectNoSecrets, expectProblem, readyz, shopWithContact, tryFaults } from './buyer.ts'
import type { Outcome } from './matrix.ts'

/** The first open period of the circuit breaker, and a moment. */
const OPEN_SECONDS = 5.1

async function breakerOpens(): Promise<Outcome> {
  const clock = movableClock()
  const shop = await shopWithContact({ clock: clock.monotonic })
  shop.sandbox.failNext({ status: 500 }, 5, 'create')
  for (let n = 0; n < 3; n++) expect((await shop.get('/buy/tee')).status).toBe(503)
  expect(calls(shop)).toBe(5)
  const outcome = await expectProblem(shop, {
    code: 'dots-breaker-open',
    retryAfter: [1, 5],
    level: 'warn',
    row: 'failed',
  })
  expect(calls(shop)).toBe(5)
  const degraded = { status: 200, body: { status: 'degraded', parts: { dots: { status: 'degraded' } } } }
  expect(await readyz(shop)).toMatchObject(degraded)

  clock.forward(OPEN_SECONDS)
  const answers = await Promise.all(Array.from({ length: 5 }, () => shop.get('/buy/tee')))
  // One of them is the probe; the others are rejected during it, or come after it.
  expect(answers.map(({ status }) => status)).toContain(302)
  await expect.poll(async () => (await shop.get('/buy/tee')).status).toBe(302)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  const events = shop.log
    .map(({ event }) => String(event))
    .filter((event) => event.startsWith('dots.breaker.'))
  expect(events).toEqual(['dots.breaker.open', 'dots.breaker.closed'])
  expectNoSecrets(shop)
  return { ...outcome, buyer: `${outcome.buyer}, at once; /readyz 200 degraded; closed again by one probe` }
}

async function breakerStaysOpen(): Promise<Outcome> {
  const clock = movableClock()
  const shop = await shopWithContact({ clock: clock.monotonic })
  shop.sandbox.failNext({ status: 500 }, 6, 'create')
  for (let n = 0; n < 3; n++) await shop.get('/buy/tee')
  clock.forward(OPEN_SECONDS)
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

async function pauseForClicks(): Promise<Outcome> {
  const shop = await shopWithContact()
  shop.sandbox.failNext({ status: 429, headers: { 'retry-after': '2' } }, EVERY_TIME, 'create')
  const first = shop.get('/buy/tee')
  await expect.poll(() => calls(shop)).toBe(1)
  const outcome = await expectProblem(shop, {
    code: 'dots-paused',
    retryAfter: [1, 2],
    level: 'warn',
    row: 'failed',
  })
  expect(calls(shop)).toBe(1)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'degraded' } })
  expect((await first).status).toBe(503)
  return outcome
}

tryFaults([
  { fault: 'breaker-open', injected: 'five failures in a row, then Dots works again', run: breakerOpens },
  { fault: 'breaker-open', injected: 'a probe that fails', run: breakerStaysOpen },
  { fault: 'asked-to-wait', injected: 'a click during the pause', run: pauseForClicks },
])
