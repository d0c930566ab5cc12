import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { click, EVERY_TIME, rowsOf } from '../checkout/clicks.ts'
import { NO_LOOPS, startWithWebhook } from '../orders/sale.ts'
import { startService } from '../service.ts'
import { calls, readyz } from './buyer.ts'

const AT_ONCE_MS = 1_000

async function timed<T>(work: Promise<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now()
  const result = await work
  return { result, ms: performance.now() - start }
}

test('a sweep that hangs in a list never starves a click, however small the cap', async () => {
  const shop = await startService({
    env: { DOTS_MAX_IN_FLIGHT: '2' },
    pace: { ...NO_LOOPS, sweepEveryMs: 20, callsPerMinute: 60_000 },
  })
  shop.sandbox.failNext('hang', EVERY_TIME, 'list')
  await expect.poll(() => calls(shop, 'list')).toBeGreaterThan(0)
  for (let n = 0; n < 5; n++) {
    const { result, ms } = await timed(shop.get('/buy/tee'))
    expect(result.status).toBe(302)
    expect(ms).toBeLessThan(AT_ONCE_MS)
  }
})

test('a storm of events and returns at a silent Dots leaves the clicks their places', async () => {
  const shop = await startWithWebhook({ env: { DOTS_MAX_IN_FLIGHT: '4' }, pace: NO_LOOPS })
  const sales = [await click(shop), await click(shop), await click(shop)]
  shop.sandbox.failNext('hang', 200, 'read')
  const storm = sales.flatMap(({ session, checkoutId }) => [
    ...Array.from({ length: 10 }, (_, n) => shop.sandbox.sendEvent(session.id, { id: `${checkoutId}-${n}` })),
    ...Array.from({ length: 10 }, () => shop.get(`/success?checkout=${checkoutId}`)),
  ])
  await expect.poll(() => calls(shop, 'read')).toBeGreaterThanOrEqual(3)
  for (let n = 0; n < 5; n++) {
    const { result, ms } = await timed(shop.get('/buy/tee'))
    expect(result.status).toBe(302)
    expect(ms).toBeLessThan(AT_ONCE_MS)
  }
  const answers = await Promise.all(storm)
  for (const answer of answers) expect(typeof answer === 'number' ? answer : answer.status).toBe(200)
})

test('what fails behind the shop opens a breaker of its own: clicks go on, and the service is ready', async () => {
  const shop = await startService({
    pace: { ...NO_LOOPS, sweepEveryMs: 20, callsPerMinute: 60_000 },
  })
  shop.sandbox.failNext({ status: 500 }, 50, 'list')
  const breakers = async () => JSON.stringify((await readyz(shop)).body)
  await expect.poll(breakers, { timeout: 5_000 }).toContain('"background":"open"')
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  expect((await shop.get('/buy/tee')).status).toBe(302)
})

test('a pause that Dots asks the sweep for holds for clicks too, and ends by itself', async () => {
  const shop = await startService({
    pace: { ...NO_LOOPS, sweepEveryMs: 20, callsPerMinute: 60_000 },
  })
  // The list's deadline has room to wait for it and to try again; a click just has to wait.
  shop.sandbox.failNext({ status: 503, headers: { 'retry-after': '2' } }, 1, 'list')
  await expect.poll(() => calls(shop, 'list')).toBe(1)
  await sleep(50)
  const answer = await shop.get('/buy/tee')
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
  expect(calls(shop)).toBe(0)
  expect(rowsOf(shop)).toMatchObject([{ state: 'failed', failure: 'dots-paused' }])
  await expect.poll(async () => (await shop.get('/buy/tee')).status, { timeout: 5_000 }).toBe(302)
})

test('clicks that fail leave the way back alone: it has a breaker of its own', async () => {
  const shop = await startService()
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext({ status: 500 }, 5, 'create')
  for (let n = 0; n < 3; n++) await shop.get('/buy/tee')
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'degraded' } })
  const before = calls(shop, 'read')
  expect((await shop.get(`/success?checkout=${checkoutId}`)).status).toBe(200)
  expect(calls(shop, 'read')).toBe(before + 1)
})
