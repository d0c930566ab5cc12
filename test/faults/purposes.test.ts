import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { click, EVERY_TIME, rowsOf } from '../checkout/clicks.ts'
import { IDLE_JOBS, startWithWebhook } from '../orders/sale.ts'
import { startService } from '../service.ts'
import { calls, readyz } from './buyer.ts'

/** A call that hangs takes longer in these tests. */
const AT_ONCE_MS = 5_000
const HANGING_MS = 8_000

async function timed<T>(work: Promise<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now()
  const result = await work
  return { result, ms: performance.now() - start }
}

test('a sweep that waits for a list never blocks a click, however small the concurrency limit', async () => {
  const shop = await startService({
    env: { DOTS_MAX_IN_FLIGHT: '2' },
    pace: { ...IDLE_JOBS, sweepEveryMs: 20, callsPerMinute: 60_000 },
  })
  shop.sandbox.failNext('hang', EVERY_TIME, 'list')
  await expect.poll(() => calls(shop, 'list')).toBeGreaterThan(0)
  for (let n = 0; n < 5; n++) {
    const { result, ms } = await timed(shop.get('/buy/tee'))
    expect(result.status).toBe(302)
    expect(ms).toBeLessThan(AT_ONCE_MS)
  }
})

test('many events and returns while Dots does not answer leave slots for clicks', async () => {
  const shop = await startWithWebhook({
    env: { DOTS_MAX_IN_FLIGHT: '4' },
    pace: IDLE_JOBS,
    dots: { deadlinesMs: { return: HANGING_MS, background: HANGING_MS } },
  })
  const sales = [await click(shop), await click(shop), await click(shop)]
  shop.sandbox.failNext('hang', 200, 'read')
  const requests = sales.flatMap(({ session, checkoutId }) => [
    ...Array.from({ length: 10 }, (_, n) => shop.sandbox.sendEvent(session.id, { id: `${checkoutId}-${n}` })),
    ...Array.from({ length: 10 }, () => shop.get(`/success?checkout=${checkoutId}`)),
  ])
  await expect.poll(() => calls(shop, 'read')).toBeGreaterThanOrEqual(3)
  for (let n = 0; n < 5; n++) {
    const { result, ms } = await timed(shop.get('/buy/tee'))
    expect(result.status).toBe(302)
    expect(ms).toBeLessThan(AT_ONCE_MS)
  }
  shop.services.dots.abort(['return', 'background'])
  const answers = await Promise.all(requests)
  for (const answer of answers) expect(typeof answer === 'number' ? answer : answer.status).toBe(200)
})

test('background calls that fail open a breaker of their own: clicks go on, and the service is ready', async () => {
  const shop = await startService({
    pace: { ...IDLE_JOBS, sweepEveryMs: 20, callsPerMinute: 60_000 },
  })
  shop.sandbox.failNext({ status: 500 }, 50, 'list')
  const breakers = async () => JSON.stringify((await readyz(shop)).body)
  await expect.poll(breakers).toContain('"background":"open"')
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  expect((await shop.get('/buy/tee')).status).toBe(302)
})

test('a pause that Dots asks the sweep for applies to clicks too, and ends by itself', async () => {
  const shop = await startService({
    pace: { ...IDLE_JOBS, sweepEveryMs: 20, callsPerMinute: 60_000 },
  })
  // The list call has time to wait for it and to be made again; a click is refused.
  shop.sandbox.failNext({ status: 503, headers: { 'retry-after': '2' } }, 1, 'list')
  await expect.poll(() => calls(shop, 'list')).toBe(1)
  await sleep(50)
  const answer = await shop.get('/buy/tee')
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
  expect(calls(shop)).toBe(0)
  expect(rowsOf(shop)).toMatchObject([{ state: 'failed', failure: 'dots-paused' }])
  await expect.poll(async () => (await shop.get('/buy/tee')).status).toBe(302)
})

test('clicks that fail do not affect the return pages, which have a breaker of their own', async () => {
  const shop = await startService()
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext({ status: 500 }, 5, 'create')
  for (let n = 0; n < 3; n++) await shop.get('/buy/tee')
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'degraded' } })
  const before = calls(shop, 'read')
  expect((await shop.get(`/success?checkout=${checkoutId}`)).status).toBe(200)
  expect(calls(shop, 'read')).toBe(before + 1)
})
