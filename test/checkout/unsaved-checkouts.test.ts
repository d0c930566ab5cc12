import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type UnsavedCheckouts, unsavedCheckouts } from '../../src/checkout/unsaved-checkouts.ts'
import type { Checkout } from '../../src/store/checkout.ts'
import { openStore } from '../../src/store/open-store.ts'
import { NEW_CHECKOUT } from '../contract/store.ts'
import { lockStore } from '../orders/sale.ts'
import { startService } from '../service.ts'

test('a buyer whose click the store could not save is known at the return, and the sale is complete once', async () => {
  const shop = await startService()
  const other = new DatabaseSync(shop.databasePath)
  other.exec('BEGIN IMMEDIATE')
  const answer = await shop.get('/buy/tee')
  other.exec('ROLLBACK')
  other.close()
  expect(answer.status).toBe(302)

  const [session] = [...shop.sandbox.sessions.values()]
  const id = session?.metadata?.checkout_id ?? ''
  expect(await shop.services.store.checkouts.find(id)).toBeUndefined()
  await shop.sandbox.pay(session?.id ?? '')
  const page = await shop.get(`/success?checkout=${id}`)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('Your payment is complete')
  const row = await shop.services.store.checkouts.find(id)
  expect(row).toMatchObject({ state: 'complete', sessionId: session?.id, amountTotal: 2500 })
})

test('the log has all items of a long cart that could not be saved or opened', async () => {
  const skus = Array.from({ length: 30 }, (_, index) => `a-rather-long-name-of-product-${index}`)
  const shop = await startService({ products: skus.map((sku) => ({ sku, name: sku, amount: 100 })) })
  const items = skus.map((sku) => `${sku}:2`).join()
  const unlock = lockStore(shop)
  expect((await shop.get(`/buy/${items}`)).status).toBe(303)
  unlock()
  shop.sandbox.failNext({ status: 400 }, 1, 'create')
  expect((await shop.get(`/buy/${items}`)).status).toBe(503)
  const lines = shop.log.filter(({ code }) => code === 'SQLITE_BUSY' || code === 'dots-request-refused')
  expect(lines.map((line) => line.items)).toEqual([items, items])
})

test('an id without a click is unknown', async () => {
  const shop = await startService()
  const page = await shop.get('/success?checkout=7f0c7f0c-7f0c-4f0c-8f0c-7f0c7f0c7f0c')
  expect(page.status).toBe(404)
  expect(shop.sandbox.requests).toHaveLength(0)
})

/** A click whose session lives for so long. */
function clickOf(id: string, lifeMs: number) {
  const createdAt = '2026-11-22T10:00:00.000Z'
  const expiresAt = new Date(Date.parse(createdAt) + lifeMs).toISOString()
  const session = { sessionId: `s-${id}`, paymentIntentId: undefined, checkoutUrl: undefined, expiresAt }
  return { checkout: { ...NEW_CHECKOUT, id }, session, createdAt }
}

async function saveAll(unsaved: UnsavedCheckouts, ids: readonly string[]): Promise<(string | undefined)[]> {
  const store = await openStore('sqlite::memory:')
  const saved: (Checkout | undefined)[] = []
  for (const id of ids) saved.push(await unsaved.save(id, store))
  await store.close()
  return saved.map((checkout) => checkout?.id)
}

test('beyond the maximum the newest clicks are known', async () => {
  const unsaved = unsavedCheckouts({ max: 2 })
  for (const id of ['a', 'b', 'c']) unsaved.add(clickOf(id, 60_000))
  expect(await saveAll(unsaved, ['a', 'b', 'c'])).toEqual([undefined, 'b', 'c'])
})

test('a click is forgotten some time after its session has ended, and no sooner', async () => {
  const unsaved = unsavedCheckouts({ keepAfterExpiryMs: 50 })
  unsaved.add(clickOf('ended', 50))
  unsaved.add(clickOf('alive', 60_000))
  unsaved.add(clickOf('beyond all timers', 100 * 365 * 86_400_000))
  await sleep(200)
  expect(await saveAll(unsaved, ['ended', 'alive', 'beyond all timers'])).toEqual([
    undefined,
    'alive',
    'beyond all timers',
  ])
  const later = unsavedCheckouts()
  later.add(clickOf('just ended', 0))
  await sleep(50)
  expect(await saveAll(later, ['just ended'])).toEqual(['just ended'])
})
