import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { startService } from '../service.ts'

test('a buyer whose click the store could not keep is known at the return, and the sale is complete once', async () => {
  const shop = await startService()
  const other = new DatabaseSync(shop.databasePath)
  other.exec('BEGIN IMMEDIATE')
  const answer = await shop.get('/buy/tee')
  other.exec('ROLLBACK')
  other.close()
  expect(answer.status).toBe(302)

  const [session] = [...shop.sandbox.sessions.values()]
  const id = session?.metadata?.checkout_id ?? ''
  expect(await shop.app.store.checkouts.find(id)).toBeUndefined()
  await shop.sandbox.pay(session?.id ?? '')
  const page = await shop.get(`/success?checkout=${id}`)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('Your payment is complete')
  const row = await shop.app.store.checkouts.find(id)
  expect(row).toMatchObject({ state: 'complete', sessionId: session?.id, amountTotal: 2500 })
})

test('an id that nobody clicked for stays unknown', async () => {
  const shop = await startService()
  const page = await shop.get('/success?checkout=7f0c7f0c-7f0c-4f0c-8f0c-7f0c7f0c7f0c')
  expect(page.status).toBe(404)
  expect(shop.sandbox.requests).toHaveLength(0)
})
