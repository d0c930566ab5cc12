import { expect, test } from 'vitest'
import { startService } from '../service.ts'
import { EVERY_TIME } from './clicks.ts'

test('after a form that failed, trying again asks for the same purchase', async () => {
  const shop = await startService()
  shop.sandbox.failNext({ status: 400 }, EVERY_TIME, 'create')
  const answer = await shop.get('/buy/tee?utm_source=mail', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'quantity=3&buyer%2Femail=jane%2Bshop%40example.com',
  })
  expect(answer.status).toBe(503)
  const href = /href="([^"]*)"[^>]*>Try again/.exec(await answer.text())?.[1] ?? ''
  const path = href.replaceAll(/&#(\d+);/g, (_all, code) => String.fromCharCode(Number(code)))
  shop.sandbox.clear()
  expect((await shop.get(path)).status).toBe(302)
  expect(shop.sandbox.requests[0]?.body).toMatchObject({
    line_items: [{ quantity: 3 }],
    customer_email: 'jane+shop@example.com',
    metadata: { utm_source: 'mail' },
  })
})
