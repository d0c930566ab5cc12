import { expect, test } from 'vitest'
import { completion } from '../contract/store.ts'
import { manualClock } from '../dots/manual-clock.ts'
import { calls, returning, visit } from '../double-clicks/visit.ts'
import { type Service, startService } from '../service.ts'
import { click, EVERY_TIME } from './clicks.ts'

/** A shop with one open checkout, and the clock by which answers of Dots grow old. */
async function opened() {
  const { clock, forward } = manualClock()
  const shop = await startService({ clock })
  return { shop, forward, ...(await click(shop)) }
}

async function pages(shop: Service, paths: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(paths.map((path) => shop.get(path)))
  expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200))
  return Promise.all(answers.map((answer) => answer.text()))
}

test('many who load the pages of one checkout at once share one call to Dots', async () => {
  const { shop, checkoutId } = await opened()
  const paths = ['/success', '/cancel'].map((path) => `${path}?checkout=${checkoutId}`)
  await pages(shop, Array(20).fill(paths).flat())
  expect(calls(shop, 'read')).toBe(1)
})

test('Dots is asked about a session again only after two seconds', async () => {
  const { shop, checkoutId, session, forward } = await opened()
  const path = `/success?checkout=${checkoutId}`
  await pages(shop, [path])
  await shop.sandbox.pay(session.id)
  forward(1_999)
  expect(await pages(shop, [path])).toEqual([expect.stringContaining('not finished yet')])
  expect(calls(shop, 'read')).toBe(1)
  forward(1)
  expect(await pages(shop, [path])).toEqual([expect.stringContaining('Your payment is complete')])
  expect(calls(shop, 'read')).toBe(2)
})

test('that Dots does not answer is known for two seconds, too', async () => {
  const { shop, checkoutId, forward } = await opened()
  const path = `/success?checkout=${checkoutId}`
  shop.sandbox.failNext({ status: 403 }, EVERY_TIME, 'read')
  await pages(shop, [path, path])
  await pages(shop, [path])
  expect(calls(shop, 'read')).toBe(1)
  shop.sandbox.clear()
  forward(2_000)
  expect(await pages(shop, [path])).toEqual([expect.stringContaining('not finished yet')])
})

test('each session has a call of its own', async () => {
  const { shop, checkoutId } = await opened()
  const other = await click(shop, '/buy/mug')
  await pages(
    shop,
    [checkoutId, other.checkoutId].map((id) => `/success?checkout=${id}`),
  )
  expect(calls(shop, 'read')).toBe(2)
})

test('a sale that was recorded meanwhile is shown at once, and a complete one is never asked for again', async () => {
  const { shop, checkoutId, session, forward } = await opened()
  const path = `/success?checkout=${checkoutId}`
  await pages(shop, [path])
  await shop.sandbox.pay(session.id)
  await shop.services.store.checkouts.recordCompletion(checkoutId, completion())
  for (let count = 0; count < 3; count++) {
    expect(await pages(shop, [path])).toEqual([expect.stringContaining('Your payment is complete')])
    forward(10_000)
  }
  expect(calls(shop, 'read')).toBe(1)
})

test('the check of a second click uses an answer that is two seconds old at the most', async () => {
  const start = Date.parse('2026-11-22T10:00:00Z')
  let now = start
  const { shop, first, session } = await returning({ now: () => new Date(now) })
  now += 60_000
  const id = shop.sandbox.sessions.get(session)?.metadata?.checkout_id
  await pages(shop, [`/cancel?checkout=${id}`])
  expect((await visit(shop, '/buy/tee', first.cookie)).to).toBe(first.to)
  expect(calls(shop, 'read')).toBe(1)
})
