import { expect, test } from 'vitest'
import { type Click, checkoutOf, click, EVERY_TIME } from '../checkout/clicks.ts'
import { runBeside } from '../commands/run-command.ts'
import { PRODUCTS } from '../service.ts'
import { SIGNING, signed } from '../signed-links/signed.ts'
import { type Receiver, startReceiver } from './receiver.ts'
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

/** The flags in the last announcement of an order. */
function flagsSent(receiver: Receiver, { checkoutId }: Click): unknown {
  const message = receiver.received.findLast(({ id }) => id === `order_${checkoutId}`)
  return Object(message?.body.data).flags
}

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
  'a payment of %i cents in place of 2500 shows what was paid, is flagged, and is announced only when a person releases it',
  async (amountTotal) => {
    const receiver = await startReceiver()
    const shop = await startWithWebhook({ env: receiver.env, pace: DELIVERING })
    const { checkoutId, session } = await click(shop)
    await payQuietly(shop, session, { amountTotal })
    const page = await (await shop.get(`/success?checkout=${checkoutId}`)).text()
    expect(page).toContain('Your payment is complete')
    const money = (cents: number) => `<td><bdi>$${(cents / 100).toFixed(2)}</bdi></td>`
    expect(page).toContain(`<th scope="row">Total</th>${money(2500)}`)
    expect(page).toContain(`<th scope="row">Paid</th>${money(amountTotal)}`)
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
    expect(receiver.received[0]?.body).toMatchObject({ data: { amount_paid: 2500, flags: [] } })
    const announced = { checkout_id: checkoutId, state: 'held', attempts: 0 }
    expect(rows(shop, 'announcements')).toContainEqual(expect.objectContaining(announced))
    // Neither does it leave with what was restored.
    expect(await runBeside(shop, 'reconcile', ['--announce'])).toMatchObject({ code: 0 })
    expect(rows(shop, 'announcements')).toContainEqual(expect.objectContaining(announced))
    expect(await runBeside(shop, 'orders', ['--resend', checkoutId])).toMatchObject({ code: 0 })
    await expect.poll(() => receiver.ids()).toEqual([`order_${next.checkoutId}`, `order_${checkoutId}`])
    expect(receiver.received[1]?.body).toMatchObject({
      data: { amount_total: 2500, amount_paid: amountTotal, flags: ['amount-mismatch'] },
    })
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
    expect(receiver.received[0]?.body).toMatchObject({ data: { amount_paid: null, flags: [] } })
    expect(await shop.get(`/success?checkout=${checkoutId}`).then((page) => page.text())).not.toContain(
      '>Paid<',
    )
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
  expect(rows(shop, 'announcements')).toMatchObject([{ state: 'held' }])
})

test('where a payment of another amount cannot be recorded, the page shows it all the same', async () => {
  const shop = await startWithWebhook({ pace: IDLE_JOBS })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session, { amountTotal: 1 })
  change(shop, 'alter table announcements rename to hidden')
  const page = await (await shop.get(`/success?checkout=${checkoutId}`)).text()
  expect(page).toContain('<th scope="row">Paid</th><td><bdi>$0.01</bdi></td>')
  expect((await checkoutOf(shop, checkoutId)).state).toBe('open')
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
  expect(flagsSent(receiver, second)).toEqual(['oversold'])
})

/** A signed link that is good for one sale, as two buyers open it before either of them pays. */
async function soldAlike(receiver: Receiver) {
  const shop = await startWithWebhook({ env: { ...SIGNING, ...receiver.env }, pace: DELIVERING })
  const clicks = [await click(shop, signed({ uses: 1 })), await click(shop, signed({ uses: 1 }))] as const
  for (const { session } of clicks) await payQuietly(shop, session)
  return { shop, clicks }
}

test('a signed link that is paid more often than it may be used: flagged, logged, announced, listed', async () => {
  const receiver = await startReceiver()
  const { shop, clicks } = await soldAlike(receiver)
  const [first, second] = clicks
  for (const { checkoutId } of clicks) await shop.get(`/success?checkout=${checkoutId}`)
  expect((await checkoutOf(shop, first.checkoutId)).flags).toEqual([])
  const { flags, linkId } = await checkoutOf(shop, second.checkoutId)
  expect(flags).toEqual(['overused'])
  expect(logged(shop, 'order.overused')).toMatchObject([
    { level: 50, checkout: second.checkoutId, link: linkId },
  ])
  await expect.poll(() => receiver.distinctIds()).toBe(2)
  expect(flagsSent(receiver, first)).toEqual([])
  expect(flagsSent(receiver, second)).toEqual(['overused'])
  // The receiver has it a moment before the shop knows that it has.
  await expect
    .poll(async () => (await runBeside(shop, 'orders', ['--failed'])).stdout)
    .toMatch(/delivered overused/)
})

test('of two payments through one link that replicas find at the same moment, one is flagged', async () => {
  const receiver = await startReceiver()
  const { shop, clicks } = await soldAlike(receiver)
  const replica = await startReplica(shop)
  const paths = clicks.map(({ checkoutId }) => `/success?checkout=${checkoutId}`)
  await Promise.all(paths.flatMap((path) => [shop.get(path), replica.get(path)]))
  const flags = await Promise.all(
    clicks.map(async ({ checkoutId }) => (await checkoutOf(shop, checkoutId)).flags),
  )
  expect(flags.flat()).toEqual(['overused'])
  const logs = shop.logText() + replica.logText()
  expect(logs.match(/order.overused/g)).toHaveLength(1)
})

test('a restored order counts as a use, and is flagged where another click tells how many there are', async () => {
  const receiver = await startReceiver()
  const { shop, clicks } = await soldAlike(receiver)
  const [first, second] = clicks
  await shop.get(`/success?checkout=${first.checkoutId}`)
  change(shop, `delete from checkouts where id = '${second.checkoutId}'`)
  expect(await runBeside(shop, 'reconcile')).toMatchObject({ code: 0 })
  expect(await checkoutOf(shop, second.checkoutId)).toMatchObject({ state: 'complete', flags: ['overused'] })
})

test('a link without a number of uses is never overused', async () => {
  const receiver = await startReceiver()
  const shop = await startWithWebhook({ env: { ...SIGNING, ...receiver.env }, pace: DELIVERING })
  for (let n = 0; n < 2; n++) {
    const { checkoutId, session } = await click(shop, signed({ amount: 1900 }))
    await payQuietly(shop, session)
    await shop.get(`/success?checkout=${checkoutId}`)
    expect((await checkoutOf(shop, checkoutId)).flags).toEqual([])
  }
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
