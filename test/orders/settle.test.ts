import { expect, test } from 'vitest'
import { checkoutOf, click, EVERY_TIME } from '../checkout/clicks.ts'
import { PRODUCTS } from '../service.ts'
import { startReceiver } from './receiver.ts'
import {
  change,
  FAST_JOBS,
  IDLE_JOBS,
  logged,
  payQuietly,
  rows,
  startReplica,
  startWithWebhook,
} from './sale.ts'

const DELIVERING = { ...IDLE_JOBS, deliverEveryMs: 50 }

test('replicas that find a payment at the same time settle it once and announce it once', async () => {
  const receiver = await startReceiver()
  const shop = await startWithWebhook({ env: receiver.env, pace: DELIVERING })
  const replicas = [await startReplica(shop, { pace: DELIVERING }), await startReplica(shop)]
  const ids: string[] = []
  for (let sale = 0; sale < 5; sale++) {
    const { checkoutId, session } = await click(shop)
    ids.push(`order_${checkoutId}`)
    await payQuietly(shop, session)
    const path = `/success?checkout=${checkoutId}`
    const pages = await Promise.all(
      [shop, ...replicas, shop, ...replicas].map(async ({ url }) => (await fetch(url + path)).text()),
    )
    for (const page of pages) expect(page).toContain('Your payment is complete')
  }
  await expect.poll(() => receiver.distinctIds()).toBe(5)
  expect(receiver.ids().sort()).toEqual(ids.sort())
  expect(rows(shop, 'announcements')).toHaveLength(5)
  expect(rows(shop, 'sales')).toHaveLength(5)
  const logs = [shop.logText(), ...replicas.map((replica) => replica.logText())].join('')
  expect(logs.match(/order.settled/g)).toHaveLength(5)
})

test('complete is final, whatever Dots says later', async () => {
  const receiver = await startReceiver()
  const shop = await startWithWebhook({ env: receiver.env, pace: FAST_JOBS })
  const { checkoutId, session } = await click(shop)
  await shop.sandbox.pay(session.id)
  await expect.poll(() => receiver.distinctIds()).toBe(1)
  const settled = await checkoutOf(shop, checkoutId)
  for (const status of ['open', 'expired', undefined]) {
    shop.sandbox.clear()
    shop.sandbox.failNext({ alter: (body) => ({ ...body, status }) }, EVERY_TIME, 'read')
    await shop.get(`/success?checkout=${checkoutId}`)
    expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  }
  expect(await checkoutOf(shop, checkoutId)).toEqual(settled)
  expect(receiver.received).toHaveLength(1)
})

test('a checkout that was found expired is complete when Dots says that it is paid', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  shop.sandbox.failNext({ alter: (body) => ({ ...body, status: 'expired' }) }, 1, 'read')
  await shop.sandbox.sendEvent(session.id)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('expired')
  await payQuietly(shop, session)
  await shop.sandbox.sendEvent(session.id)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test.each([1, 2_499, 2_501, 0])(
  'a payment of %i cents in place of 2500 shows "paid", is flagged, and is not announced',
  async (amountTotal) => {
    const receiver = await startReceiver()
    const shop = await startWithWebhook({ env: receiver.env, pace: DELIVERING })
    const { checkoutId, session } = await click(shop)
    await payQuietly(shop, session, { amountTotal })
    const page = await (await shop.get(`/success?checkout=${checkoutId}`)).text()
    expect(page).toContain('Your payment is complete')
    expect(await checkoutOf(shop, checkoutId)).toMatchObject({
      state: 'complete',
      amountTotal: 2500,
      amountPaid: amountTotal,
      flags: ['amount-mismatch'],
    })
    expect(logged(shop, 'order.amount-mismatch')).toMatchObject([
      { level: 50, checkout: checkoutId, amountAsked: 2500, amountPaid: amountTotal },
    ])
    // An ordinary sale after it is announced, so the other one would have been by now.
    const next = await click(shop)
    await payQuietly(shop, next.session)
    await shop.get(`/success?checkout=${next.checkoutId}`)
    await expect.poll(() => receiver.ids()).toEqual([`order_${next.checkoutId}`])
    expect(rows(shop, 'announcements')).toHaveLength(1)
  },
)

test.each([undefined, null, '25.00', 25.5])(
  'a session with the amount %s is logged as a warning, and announced',
  async (amount) => {
    const receiver = await startReceiver()
    const shop = await startWithWebhook({ env: receiver.env, pace: DELIVERING })
    const { checkoutId, session } = await click(shop)
    await payQuietly(shop, session)
    shop.sandbox.failNext({ alter: (body) => ({ ...body, amount_total: amount }) }, 1, 'read')
    await shop.sandbox.sendEvent(session.id)
    await expect.poll(() => receiver.ids()).toEqual([`order_${checkoutId}`])
    expect(await checkoutOf(shop, checkoutId)).toMatchObject({
      state: 'complete',
      amountPaid: null,
      flags: [],
    })
    expect(logged(shop, 'order.amount-unknown')).toMatchObject([{ level: 40 }])
  },
)

test('a wrong amount that Dots sends as text is flagged, too, and the order is not announced', async () => {
  const receiver = await startReceiver()
  const shop = await startWithWebhook({ env: receiver.env, pace: DELIVERING })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  shop.sandbox.failNext({ alter: (body) => ({ ...body, amount_total: '1' }) }, 1, 'read')
  await shop.sandbox.sendEvent(session.id)
  await expect
    .poll(() => checkoutOf(shop, checkoutId))
    .toMatchObject({ state: 'complete', amountPaid: 1, flags: ['amount-mismatch'] })
  expect(rows(shop, 'announcements')).toEqual([])
})

test('an order past the limit is paid: flagged, logged, and announced', async () => {
  const receiver = await startReceiver()
  const [tee = {}] = PRODUCTS
  const shop = await startWithWebhook({
    env: receiver.env,
    pace: DELIVERING,
    products: [{ ...tee, restrictions: { completed_sessions: { limit: 1 } } }],
  })
  const first = await click(shop)
  const second = await click(shop)
  await payQuietly(shop, first.session)
  await payQuietly(shop, second.session)
  for (const { checkoutId } of [first, second]) await shop.get(`/success?checkout=${checkoutId}`)
  expect((await checkoutOf(shop, first.checkoutId)).flags).toEqual([])
  expect(await checkoutOf(shop, second.checkoutId)).toMatchObject({ state: 'complete', flags: ['oversold'] })
  expect(logged(shop, 'order.oversold')).toMatchObject([
    { level: 50, checkout: second.checkoutId, skus: ['tee'] },
  ])
  await expect.poll(() => receiver.distinctIds()).toBe(2)
})

test('if the store fails during a completion, the state and the announcement are both written or both missing', async () => {
  const receiver = await startReceiver()
  const shop = await startWithWebhook({ env: receiver.env, pace: IDLE_JOBS })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  change(shop, 'alter table announcements rename to hidden')
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('open')
  expect(rows(shop, 'sales')).toEqual([])
  change(shop, 'alter table hidden rename to announcements')
  await shop.get(`/success?checkout=${checkoutId}`)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
  await expect.poll(() => receiver.ids()).toEqual([`order_${checkoutId}`])
})
