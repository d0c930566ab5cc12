import { expect, test } from 'vitest'
import { click, expectBuyHeaders } from '../checkout/clicks.ts'
import { PRODUCTS } from '../service.ts'
import { change, payQuietly, startWithWebhook } from './sale.ts'

const [tee = {}, mug = {}] = PRODUCTS
const limited = (limit: number) => [
  { ...tee, restrictions: { completed_sessions: { limit } }, inactive_message: 'Next batch in May.' },
  mug,
]

test('clicks do not count, and each sale counts one, whatever its quantity', async () => {
  const shop = await startWithWebhook({ products: limited(2) })
  for (let n = 0; n < 5; n++) await click(shop)
  const first = await click(shop, '/buy/tee?quantity=7')
  await shop.sandbox.pay(first.session.id)
  await shop.sandbox.eventsSettled()
  const second = await click(shop, '/buy/tee:1,mug:2')
  await shop.sandbox.pay(second.session.id)
  await shop.sandbox.eventsSettled()
  const sessions = shop.sandbox.sessions.size
  const gone: [string, RequestInit][] = [
    ['/buy/tee', {}],
    ['/buy/tee', { method: 'POST' }],
    ['/buy/tee', { method: 'HEAD' }],
    ['/buy/tee:1', {}],
    ['/buy/mug:2,tee:1', {}],
  ]
  for (const [path, init] of gone) {
    const answer = await shop.get(path, init)
    expect(`${init.method ?? 'GET'} ${path}: ${answer.status}`).toBe(`${init.method ?? 'GET'} ${path}: 410`)
    expectBuyHeaders(answer)
    if (init.method !== 'HEAD') expect(await answer.text()).toContain('sold out')
  }
  expect(shop.sandbox.sessions.size).toBe(sessions)
  expect((await shop.get('/buy/mug')).status).toBe(302)
})

test('a session that expires unpaid does not count', async () => {
  const shop = await startWithWebhook({ products: limited(1) })
  const { checkoutId, session } = await click(shop)
  shop.sandbox.expire(session.id)
  await shop.get(`/success?checkout=${checkoutId}`)
  expect((await shop.get('/buy/tee')).status).toBe(302)
})

test('a sale that three sources report is counted once', async () => {
  const shop = await startWithWebhook({ products: limited(2) })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  await Promise.all([
    shop.sandbox.sendEvent(session.id),
    shop.sandbox.sendEvent(session.id),
    shop.get(`/success?checkout=${checkoutId}`),
  ])
  expect((await shop.get('/buy/tee', { method: 'HEAD' })).status).toBe(200)
})

test('a store that cannot count does not stop the sale, and the log says so', async () => {
  const shop = await startWithWebhook({ products: limited(1) })
  const { session } = await click(shop)
  await shop.sandbox.pay(session.id)
  await shop.sandbox.eventsSettled()
  expect((await shop.get('/buy/tee')).status).toBe(410)
  change(shop, 'alter table sales rename to hidden')
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(shop.log).toContainEqual(expect.objectContaining({ level: 50, event: 'sales-limit.skipped' }))
})
