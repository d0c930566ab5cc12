import { expect, test } from 'vitest'
import { click, EVERY_TIME, rowsOf } from '../checkout/clicks.ts'
import { failureOf } from '../dots/servers.ts'
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
  const shop = await startService({ pace: IDLE_JOBS })
  shop.sandbox.failNext({ status: 500 }, 50, 'list')
  for (let n = 0; n < 5; n++)
    await expect(shop.services.dots.listCheckoutSessions({ limit: 1 })).rejects.toThrow()
  const breakers = async () => JSON.stringify((await readyz(shop)).body)
  await expect.poll(breakers).toContain('"background":"open"')
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  expect((await shop.get('/buy/tee')).status).toBe(302)
})

test('a pause that Dots asks for at its list stops the background alone: clicks and returns go on', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const list = () => failureOf(shop.services.dots.listCheckoutSessions({ limit: 1 }))
  shop.sandbox.failNext({ status: 429, headers: { 'retry-after': '60' } }, EVERY_TIME, 'list')
  expect(await list()).toMatchObject({ code: 'dots-rate-limited', logLevel: 'warn' })
  // Jobs meet the pause again and again, and it is in the log already.
  expect(await list()).toMatchObject({ code: 'dots-paused', logLevel: 'debug' })
  expect(calls(shop, 'list')).toBe(1)
  const { checkoutId } = await click(shop)
  expect((await shop.get(`/success?checkout=${checkoutId}`)).status).toBe(200)
  expect(calls(shop, 'read')).toBe(1)
  expect(await readyz(shop)).toMatchObject({
    status: 200,
    body: {
      status: 'ready',
      parts: { dots: { pausedSeconds: { click: 0, return: 0, background: expect.any(Number) } } },
    },
  })
})

test('a pause that Dots asks clicks for leaves the return pages working', async () => {
  const shop = await startService()
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext({ status: 429, headers: { 'retry-after': '60' } }, 1, 'create')
  expect((await shop.get('/buy/tee')).status).toBe(503)
  const answer = await shop.get('/buy/tee')
  expect(answer.status).toBe(503)
  expect(['59', '60']).toContain(answer.headers.get('retry-after'))
  expect(rowsOf(shop).at(-1)).toMatchObject({ state: 'failed', failure: 'dots-paused' })
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'degraded' } })
  const page = await shop.get(`/success?checkout=${checkoutId}`)
  expect(await page.text()).toContain('Your payment is not finished yet')
  expect([calls(shop, 'read'), calls(shop)]).toEqual([1, 2])
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
