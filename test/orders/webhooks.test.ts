import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { checkoutOf, click, EVERY_TIME, rowsOf } from '../checkout/clicks.ts'
import {
  change,
  FAST_JOBS,
  IDLE_JOBS,
  lockStore,
  logged,
  movableClock,
  payQuietly,
  rows,
  startWithWebhook,
} from './sale.ts'

test('a paid checkout is settled by an event, before any return', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await shop.sandbox.pay(session.id, { email: 'jane@example.com' })
  await shop.sandbox.eventsSettled()
  expect(await checkoutOf(shop, checkoutId)).toMatchObject({
    state: 'complete',
    customerEmail: 'jane@example.com',
    amountPaid: 2500,
  })
  expect(shop.sandbox.deliveries.map(({ outcome }) => outcome)).toEqual([200, 200])
  expect(shop.logText()).not.toContain('jane')
})

test('an event is settled before it is answered where Dots answers at once', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  // The answer waits for 700 ms at most, which a busy machine may exceed.
  await expect.poll(async () => (await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test('an event for which Dots answers without a status is processed again', async () => {
  const clock = movableClock()
  const shop = await startWithWebhook({ now: clock.now, pace: { ...IDLE_JOBS, eventsEveryMs: 40 } })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  shop.sandbox.failNext({ alter: () => ({ unexpected: true }) }, 1, 'read')
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  const state = async () => {
    clock.forward(1)
    return (await checkoutOf(shop, checkoutId)).state
  }
  await expect.poll(state).toBe('complete')
})

test('a repeated event changes nothing and causes no call to Dots', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  expect(await shop.sandbox.sendEvent(session.id, { id: 'msg_1' })).toBe(200)
  const settled = await checkoutOf(shop, checkoutId)
  const requests = shop.sandbox.requests.length
  const again = Array.from({ length: 5 }, () => shop.sandbox.sendEvent(session.id, { id: 'msg_1' }))
  expect(await Promise.all(again)).toEqual([200, 200, 200, 200, 200])
  expect(await checkoutOf(shop, checkoutId)).toEqual(settled)
  expect(shop.sandbox.requests.length).toBe(requests)
  expect(rows(shop, 'events')).toHaveLength(1)
})

test('ten deliveries of one event at the same time settle once', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  const all = Array.from({ length: 10 }, () => shop.sandbox.sendEvent(session.id, { id: 'msg_1' }))
  expect(new Set(await Promise.all(all))).toEqual(new Set([200]))
  await expect.poll(async () => (await checkoutOf(shop, checkoutId)).state).toBe('complete')
  expect(logged(shop, 'order.settled')).toHaveLength(1)
})

const shapes: [string, (ids: { intent: string; session: string }) => string | Record<string, unknown>][] = [
  ['the thin one', ({ intent }) => ({ event: 'payment_intent.updated', payment_intent_id: intent })],
  ['without an event key', ({ intent }) => ({ payment_intent_id: intent })],
  ['a session id', ({ session }) => ({ checkout_session_id: session })],
  ['an id under another name', ({ session }) => ({ id: session, object: 'checkout.session' })],
  ['ids deep inside', ({ intent }) => ({ data: { object: [{ x: 1 }, { payment: { intent } }] } })],
  ['a list', ({ intent }) => JSON.stringify(['payment_intent.updated', intent])],
  ['a JSON string', ({ session }) => JSON.stringify(session)],
]

test.each(shapes)('the checkout is found by %s', async (_what, bodyOf) => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  const body = bodyOf({ intent: session.payment_intent_id, session: session.id })
  expect(await shop.sandbox.sendEvent(session.id, { body })).toBe(200)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test.each([
  ['no JSON', 'not json at all {'],
  ['nothing', ''],
  ['null', 'null'],
  ['a number', '12'],
  ['no ids', '{"event":"ping"}'],
  ['far too deep', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
  ['thousands of ids', JSON.stringify(Array.from({ length: 9_000 }, (_, n) => `some-long-id-${n}`))],
  [
    'characters that are patterns',
    JSON.stringify({ id: '%_%_%_%_%_%', "'; drop table events; --": '\\\\\\\\\\\\\\\\' }),
  ],
])('a signed body of %s is accepted and changes nothing', async (_what, body) => {
  const shop = await startWithWebhook()
  await click(shop)
  expect(await shop.sandbox.sendEvent('none', { body })).toBe(200)
  expect(rowsOf(shop)).toMatchObject([{ state: 'open' }])
  expect(shop.log.filter(({ level }) => Number(level) >= 50)).toEqual([])
})

test('a body over the limit is refused before it is read', async () => {
  const shop = await startWithWebhook()
  expect(await shop.sandbox.sendEvent('none', { body: 'x'.repeat(300_000) })).toBe(413)
})

test('the status in a signed body changes nothing', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  const body = {
    event: 'checkout_session.completed',
    payment_intent_id: session.payment_intent_id,
    status: 'complete',
    data: { object: { id: session.id, status: 'complete', amount_total: 1, payment_status: 'paid' } },
  }
  expect(await shop.sandbox.sendEvent(session.id, { body })).toBe(200)
  expect(await checkoutOf(shop, checkoutId)).toMatchObject({ state: 'open', amountPaid: null })
  await payQuietly(shop, session)
  const expired = { ...body, status: 'expired', event: 'checkout_session.expired' }
  expect(await shop.sandbox.sendEvent(session.id, { body: expired })).toBe(200)
  expect(await checkoutOf(shop, checkoutId)).toMatchObject({ state: 'complete', amountPaid: 2500 })
})

test('an event that arrives before Dots shows the payment is processed again', async () => {
  const shop = await startWithWebhook({ pace: { ...IDLE_JOBS, eventsEveryMs: 100 } })
  const { checkoutId, session } = await click(shop)
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  await payQuietly(shop, session)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('open')
  // Five seconds later, without the wait.
  change(shop, "update events set next_attempt_at = ''")
  await expect.poll(async () => (await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test('an event at the same time as the return settles once, and both get the true status', async () => {
  const shop = await startWithWebhook()
  for (let round = 0; round < 5; round++) {
    const { checkoutId, session } = await click(shop)
    await payQuietly(shop, session)
    const [status, page] = await Promise.all([
      shop.sandbox.sendEvent(session.id),
      shop.get(`/success?checkout=${checkoutId}`).then((answer) => answer.text()),
    ])
    expect(status).toBe(200)
    expect(page).toContain('Your payment is complete')
    await expect.poll(async () => (await checkoutOf(shop, checkoutId)).state).toBe('complete')
  }
  expect(logged(shop, 'order.settled')).toHaveLength(5)
})

test('an event after the return changes nothing', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  await shop.get(`/success?checkout=${checkoutId}`)
  const settled = await checkoutOf(shop, checkoutId)
  shop.sandbox.failNext({ alter: (body) => ({ ...body, status: 'open' }) }, EVERY_TIME, 'read')
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  expect(await checkoutOf(shop, checkoutId)).toEqual(settled)
})

test('events that come late and out of order never undo a payment', async () => {
  const shop = await startWithWebhook({ sandbox: { random: () => 0.4 } })
  Object.assign(shop.sandbox.delivery, { double: 0.5, shuffle: true, delayMs: 50, withoutEventKey: true })
  const clicks = [await click(shop), await click(shop), await click(shop)]
  for (const { session } of clicks) await shop.sandbox.pay(session.id)
  await shop.sandbox.eventsSettled()
  for (const { checkoutId } of clicks) expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
  expect(logged(shop, 'order.settled')).toHaveLength(3)
})

test('an event of an unknown session is accepted, stored, and settled when the row is there', async () => {
  const shop = await startWithWebhook({
    pace: { ...IDLE_JOBS, sweepEveryMs: 100, eventsEveryMs: 100, callsPerMinute: 60_000 },
  })
  const unlock = lockStore(shop)
  const answer = await shop.get('/buy/tee')
  unlock()
  expect(answer.status).toBe(302)
  expect(rowsOf(shop)).toEqual([])
  const [session] = [...shop.sandbox.sessions.values()]
  if (session === undefined) throw new Error('no session')
  await shop.sandbox.pay(session.id)
  await shop.sandbox.eventsSettled()
  expect(shop.sandbox.deliveries.map(({ outcome }) => outcome)).toEqual([200, 200])
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
  expect(rowsOf(shop)[0]?.id).toBe(session.metadata?.checkout_id)
})

test('while the store is locked an event is answered 503, and the second delivery settles', async () => {
  const shop = await startWithWebhook({ sandbox: { retryAfterMs: [200, 200, 200] } })
  const { checkoutId, session } = await click(shop)
  const unlock = lockStore(shop)
  await shop.sandbox.pay(session.id)
  await expect.poll(() => shop.sandbox.deliveries.some(({ outcome }) => outcome === 503)).toBe(true)
  expect(shop.sandbox.deliveries.map(({ outcome }) => outcome)).not.toContain(200)
  unlock()
  await expect.poll(async () => (await checkoutOf(shop, checkoutId)).state).toBe('complete')
  expect(logged(shop, 'order.settled')).toHaveLength(1)
})

test('while Dots is slow an event is answered without waiting for it, and settled when Dots answers', async () => {
  const shop = await startWithWebhook({ pace: IDLE_JOBS })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  shop.sandbox.hold()
  const start = performance.now()
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  // The call to Dots would end after five seconds.
  expect(performance.now() - start).toBeLessThan(4_000)
  expect(rows(shop, 'events')).toMatchObject([{ state: 'pending' }])
  shop.sandbox.release()
  await expect.poll(async () => (await checkoutOf(shop, checkoutId)).state).toBe('complete')
  await expect.poll(() => rows(shop, 'events')).toMatchObject([{ state: 'done' }])
})

test.each([
  ['an error', { status: 500 }],
  ['a broken connection', 'reset' as const],
  ['a refused key', { status: 401 }],
  ['a session that is not known yet', { status: 404 }],
  ['nonsense', { status: 200, body: '<html>' }],
])('while Dots answers with %s an event is stored, and settled later by itself', async (_what, fault) => {
  const shop = await startWithWebhook({ pace: { ...IDLE_JOBS, eventsEveryMs: 100 } })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  shop.sandbox.failNext(fault, EVERY_TIME, 'read')
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('open')
  shop.sandbox.clear()
  change(shop, "update events set next_attempt_at = ''")
  await expect.poll(async () => (await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test('the ids of events are forgotten after seven days, and not before', async () => {
  const shop = await startWithWebhook({
    pace: { ...IDLE_JOBS, sweepEveryMs: 100, callsPerMinute: 60_000 },
  })
  for (const id of ['msg_old', 'msg_young']) await shop.sandbox.sendEvent('none', { id, body: '{}' })
  const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
  change(shop, `update events set received_at = '${ago(7 * 24 + 1)}' where id = 'msg_old'`)
  change(shop, `update events set received_at = '${ago(7 * 24 - 1)}' where id = 'msg_young'`)
  await expect.poll(() => rows(shop, 'events').map(({ id }) => id)).toEqual(['msg_young'])
  await sleep(300)
  expect(rows(shop, 'events')).toHaveLength(1)
})

test('the route takes nothing but a POST', async () => {
  const shop = await startWithWebhook({ pace: FAST_JOBS })
  for (const method of ['GET', 'PUT', 'DELETE'])
    expect((await shop.get('/webhooks/dots', { method })).status).toBe(405)
})
