import { expect } from 'vitest'
import { type Click, click, rowsOf } from '../checkout/clicks.ts'
import { startReceiver } from '../orders/receiver.ts'
import { change, IDLE_JOBS, logged, payQuietly, rows, startWithWebhook } from '../orders/sale.ts'
import type { Service, ServiceOptions } from '../service.ts'
import { calls, expectNoSecrets, states, tryFaults } from './buyer.ts'
import type { Outcome } from './matrix.ts'

const STALE_SECONDS = 6 * 60

/** A shop with one sale that is paid at Dots, which the shop does not know yet. */
async function paidQuietly(options: ServiceOptions = {}): Promise<Click & { shop: Service }> {
  const shop = await startWithWebhook({ pace: IDLE_JOBS, ...options })
  const sale = await click(shop)
  await payQuietly(shop, sale.session)
  return { ...sale, shop }
}

async function forged(): Promise<Outcome> {
  const { shop, session } = await paidQuietly()
  const url = `${shop.url}/webhooks/dots`
  const body = JSON.stringify({
    event: 'payment_intent.updated',
    payment_intent_id: session.payment_intent_id,
  })
  const stale = Math.floor(Date.now() / 1000) - STALE_SECONDS
  const headers = {
    'content-type': 'application/json',
    'svix-id': 'msg_1',
    'svix-timestamp': String(Math.floor(Date.now() / 1000)),
    'svix-signature': `v1,${Buffer.alloc(32).toString('base64')}`,
  }
  const answers = [
    await fetch(url, { method: 'POST', body, headers }),
    await fetch(url, { method: 'POST', body }),
    await fetch(url, { method: 'POST', body, headers: { ...headers, 'svix-timestamp': 'soon' } }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401])
  const bodies = await Promise.all(answers.map((answer) => answer.text()))
  expect(new Set(bodies).size).toBe(1)
  expect(await shop.sandbox.sendEvent(session.id, { timestamp: stale })).toBe(401)
  expect(rows(shop, 'events')).toEqual([])
  expect(calls(shop, 'read')).toBe(0)
  // Anybody can send these as fast as they like: at the usual level the log says nothing of them.
  expect(shop.log.filter(({ route }) => route === '/webhooks/dots')).toEqual([])
  return { buyer: '(the forger: 401, always the same bytes)', store: states(rowsOf(shop)) }
}

async function doubled(): Promise<Outcome> {
  const receiver = await startReceiver()
  const { shop, session } = await paidQuietly({ env: receiver.env })
  const send = () => shop.sandbox.sendEvent(session.id, { id: 'msg_1' })
  expect(await Promise.all([send(), send(), send()])).toEqual([200, 200, 200])
  expect(await send()).toBe(200)
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
  for (const table of ['events', 'sales', 'announcements']) expect(rows(shop, table)).toHaveLength(1)
  expect(calls(shop, 'read')).toBe(1)
  return { buyer: '(Dots: 200 each time)', store: 'row complete, one sale, one announcement' }
}

async function outOfOrder(): Promise<Outcome> {
  const { shop, session, checkoutId } = await paidQuietly()
  expect(await shop.sandbox.sendEvent(session.id, { id: 'msg_2' })).toBe(200)
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
  // What is late says "open", and so does Dots for once: complete is final.
  shop.sandbox.failNext({ alter: (body) => ({ ...body, status: 'open' }) }, 3, 'read')
  expect(await shop.sandbox.sendEvent(session.id, { id: 'msg_1' })).toBe(200)
  const page = await (await shop.get(`/success?checkout=${checkoutId}`)).text()
  expect(page).toContain('Your payment is complete')
  expect(rowsOf(shop)[0]?.state).toBe('complete')
  return { buyer: 'paid', store: 'row complete' }
}

async function unknownSession(): Promise<Outcome> {
  const { shop, session, checkoutId } = await paidQuietly({
    pace: { ...IDLE_JOBS, eventsEveryMs: 50 },
  })
  const [row] = rowsOf(shop)
  change(
    shop,
    `update checkouts set id = 'x', session_id = 'x', payment_intent_id = 'x' where id = '${checkoutId}'`,
  )
  expect(await shop.sandbox.sendEvent(session.id, { id: 'msg_1' })).toBe(200)
  expect(rows(shop, 'events')).toMatchObject([{ id: 'msg_1' }])
  expect(rowsOf(shop)[0]?.state).toBe('open')
  change(
    shop,
    `update checkouts set id = '${checkoutId}', session_id = '${row?.session_id}', payment_intent_id = '${row?.payment_intent_id}'`,
  )
  change(shop, "update events set next_attempt_at = ''")
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
  return { buyer: '(Dots: 200)', store: 'the event, then row complete once the row is there' }
}

async function otherAmount(): Promise<Outcome> {
  const receiver = await startReceiver()
  const { shop, session, checkoutId } = await paidQuietly({ env: receiver.env })
  shop.sandbox.failNext({ alter: (body) => ({ ...body, amount_total: 1 }) }, 9, 'read')
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
  const page = await (await shop.get(`/success?checkout=${checkoutId}`)).text()
  expect(page).toContain('Your payment is complete')
  expect(logged(shop, 'order.amount-mismatch')).toMatchObject([
    { level: 50, amountAsked: 2500, amountPaid: 1 },
  ])
  expect(rows(shop, 'announcements')).toMatchObject([{ state: 'held' }])
  expect(receiver.received).toEqual([])
  expect(rowsOf(shop)[0]?.flags).toContain('amount')
  expectNoSecrets(shop)
  return { buyer: 'paid', store: `row complete, flagged ${rowsOf(shop)[0]?.flags}, nothing announced` }
}

tryFaults([
  { fault: 'webhook-forged', injected: 'a wrong signature, none, an old one', run: forged },
  { fault: 'webhook-doubled', injected: 'three at once, and one more', run: doubled },
  { fault: 'webhook-order', injected: 'the older event after the newer one', run: outOfOrder },
  { fault: 'webhook-unknown', injected: 'an event before its row', run: unknownSession },
  { fault: 'amount-differs', injected: '1 cent in place of 2500', run: otherAmount },
])
