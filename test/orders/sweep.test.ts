import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { checkoutOf, click, EVERY_TIME, rowsOf, sessionsOf } from '../checkout/clicks.ts'
import { CREDENTIALS, type Service, type ServiceOptions, startService } from '../service.ts'
import { startReceiver } from './receiver.ts'
import { change, IDLE_JOBS, lockStore, logged, movableClock, payQuietly, rows, startReplica } from './sale.ts'

const SWEEPING = { ...IDLE_JOBS, sweepEveryMs: 50, deliverEveryMs: 50, callsPerMinute: 60_000 }
const MINUTE = 60
const HOUR = 60 * MINUTE

async function open(options: ServiceOptions = {}) {
  const clock = movableClock()
  const receiver = await startReceiver()
  const shop = await startService({
    now: clock.now,
    pace: SWEEPING,
    // The circuit breaker's open period ends with the clock, too.
    clock: clock.monotonic,
    ...options,
    env: { ...receiver.env, CHECKOUT_EXPIRES_IN: '3600', ...options.env },
  })
  return { clock, receiver, shop }
}

const listed = (shop: Service) => shop.sandbox.requests.filter(({ call }) => call === 'list')
/** The cursor after a complete backfill. */
const COMPLETED = {
  completedAt: expect.any(String),
  longCompletedAt: expect.any(String),
  coveredSince: expect.any(String),
  endedReadAt: expect.any(String),
}
/** Without what depends on the sessions that are in the list. */
const cursorOf = (shop: Service) => {
  const lease = rows(shop, 'leases').find(({ name }) => name === 'sweep')
  return { ...JSON.parse(String(lease?.cursor ?? '{}')), newest: undefined }
}
const stateOf = async (shop: Service, id: string) => (await checkoutOf(shop, id)).state
/** Enough time for the sweep to run several times. */
const someSweeps = () => sleep(300)

test('a buyer who paid and closed the tab, and whose event was lost, is found after the expiry', async () => {
  const { clock, receiver, shop } = await open()
  // The backfill at the start would meet the payment.
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
  const paid = await click(shop)
  const unpaid = await click(shop)
  await payQuietly(shop, paid.session, { email: 'jane@example.com' })
  await someSweeps()
  expect(await stateOf(shop, paid.checkoutId)).toBe('open')
  clock.forward(HOUR + MINUTE)
  await expect.poll(() => stateOf(shop, paid.checkoutId)).toBe('complete')
  await expect.poll(() => stateOf(shop, unpaid.checkoutId)).toBe('expired')
  await expect.poll(() => receiver.ids()).toEqual([`order_${paid.checkoutId}`])
  expect(shop.logText()).not.toContain('jane')
})

test.each(['newest-first', 'oldest-first'] as const)(
  'a session whose answer was lost is found in a list that runs %s',
  async (listOrder) => {
    const { clock, receiver, shop } = await open({ sandbox: { listOrder } })
    await click(shop)
    shop.sandbox.failNext('done-then-reset', EVERY_TIME, 'create')
    expect((await shop.get('/buy/tee?quantity=3')).status).toBe(503)
    shop.sandbox.clear()
    const session = sessionsOf(shop).at(-1)
    if (session === undefined) throw new Error('no session')
    const id = String(session.metadata?.checkout_id)
    // It is written after the answer, and one that a sweep has found before stays.
    await expect.poll(() => rowsOf(shop).map((row) => row.id)).toContain(id)
    clock.forward(2 * MINUTE)
    // Two minutes, and five between two backfills.
    clock.forward(5 * MINUTE)
    await expect.poll(() => stateOf(shop, id)).toBe('open')
    const row = await checkoutOf(shop, id)
    const found = sessionsOf(shop).filter(({ metadata }) => metadata?.checkout_id === id)
    expect(found.map((one) => one.id)).toContain(row.sessionId)
    expect(row).toMatchObject({ failure: null, amountTotal: 7500 })
    await payQuietly(shop, session)
    clock.forward(HOUR + MINUTE)
    await expect.poll(() => stateOf(shop, id)).toBe('complete')
    await expect.poll(() => receiver.ids()).toEqual([`order_${id}`])
  },
)

test('a checkout without a session fails after an hour, and only after a complete backfill', async () => {
  const { clock, shop } = await open()
  shop.sandbox.failNext('reset', EVERY_TIME, 'create')
  await shop.get('/buy/tee')
  shop.sandbox.clear()
  await expect.poll(() => rowsOf(shop).length).toBe(1)
  const id = String(rowsOf(shop)[0]?.id)
  // The row as a killed process leaves it.
  change(shop, `update checkouts set state = 'creating', failure = null where id = '${id}'`)
  clock.forward(50 * MINUTE)
  await expect.poll(() => listed(shop).length).toBeGreaterThan(0)
  await someSweeps()
  expect(await stateOf(shop, id)).toBe('creating')
  shop.sandbox.failNext({ status: 500 }, 1_000, 'list')
  clock.forward(20 * MINUTE)
  await expect.poll(() => logged(shop, 'sweep.interrupted').length).toBe(1)
  expect(await stateOf(shop, id)).toBe('creating')
  shop.sandbox.clear()
  // The pause after one failure of the list.
  clock.forward(MINUTE)
  await expect.poll(() => stateOf(shop, id)).toBe('failed')
  expect(await checkoutOf(shop, id)).toMatchObject({ failure: 'never-opened' })
})

test.each(['newest-first', 'oldest-first'] as const)(
  'more than two pages of sessions that run %s are read, each once',
  async (listOrder) => {
    const { clock, receiver, shop } = await open({ sandbox: { listOrder } })
    const [first, ...others] = await Promise.all(Array.from({ length: 205 }, () => click(shop)))
    if (first === undefined) throw new Error('no click')
    for (const { session } of [first, ...others.slice(0, 20)]) await payQuietly(shop, session)
    change(shop, 'delete from checkouts')
    shop.sandbox.clear()
    clock.forward(HOUR + MINUTE)
    await expect.poll(() => rowsOf(shop).length).toBe(205)
    await expect.poll(() => receiver.distinctIds()).toBe(21)
    const pages = listed(shop)
      .slice(0, 3)
      .map(({ path }) => path)
    expect(new Set(pages).size).toBe(3)
    expect(pages[0]).toMatch(/\?limit=100$/)
    expect(receiver.received).toHaveLength(21)
  },
)

test('a backfill that Dots interrupts continues where it stopped, after pauses that grow', async () => {
  const { clock, shop } = await open()
  await Promise.all(Array.from({ length: 205 }, () => click(shop)))
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
  change(shop, 'delete from checkouts')
  shop.sandbox.clear()
  let answered = 0
  shop.sandbox.failNext(
    {
      alter: (body) => {
        answered += 1
        return body
      },
    },
    2,
    'list',
  )
  shop.sandbox.failNext({ status: 500 }, 4, 'list')
  clock.forward(HOUR + MINUTE)
  await expect.poll(() => logged(shop, 'sweep.interrupted').length).toBe(1)
  clock.forward(MINUTE)
  await expect.poll(() => logged(shop, 'sweep.interrupted').length).toBe(2)
  clock.forward(MINUTE)
  await someSweeps()
  expect(rowsOf(shop)).toHaveLength(200)
  clock.forward(MINUTE)
  await expect.poll(() => rowsOf(shop).length).toBe(205)
  expect(answered).toBe(2)
  const paths = listed(shop)
    .slice(0, 6)
    .map(({ path }) => path)
  // Two pages, then the third one again and again until it is answered.
  expect(new Set(paths).size).toBe(3)
  expect(new Set(paths.slice(2)).size).toBe(1)
  expect(logged(shop, 'sweep.interrupted')).toHaveLength(2)
})

test('a list with an unknown cursor is read from the top again, and a list that repeats a page completes no backfill', async () => {
  const { clock, shop } = await open()
  await Promise.all(Array.from({ length: 105 }, () => click(shop)))
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
  change(shop, 'delete from checkouts')
  shop.sandbox.clear()
  const cursor = '1b4e28ba-2fa1-41d2-883f-0016d3cca427'
  const backfill = {
    since: '2020-01-01T00:00:00.000Z',
    startedAt: clock.now().toISOString(),
    startingAfter: cursor,
  }
  change(shop, `update leases set cursor = '${JSON.stringify({ backfill })}'`)
  await expect.poll(() => rowsOf(shop).length).toBe(105)
  expect(listed(shop).filter(({ path }) => path.includes(cursor))).toHaveLength(1)
  // A list with the same page for every cursor proves nothing: no checkout fails because of it.
  shop.sandbox.clear()
  const page = { data: [sessionsOf(shop)[0]], has_more: true }
  shop.sandbox.failNext({ alter: () => page }, 1_000, 'list')
  clock.forward(HOUR + MINUTE)
  await expect.poll(() => cursorOf(shop)).not.toEqual(COMPLETED)
  await someSweeps()
  expect(cursorOf(shop)).not.toEqual(COMPLETED)
  shop.sandbox.clear()
  clock.forward(10 * MINUTE)
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
})

test('the calls to Dots are spread over the minute', async () => {
  const { clock, shop } = await open({ pace: { ...SWEEPING, callsPerMinute: 600 } })
  for (let n = 0; n < 30; n++) await click(shop)
  shop.sandbox.clear()
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
  clock.forward(HOUR + MINUTE)
  await expect
    .poll(() => shop.sandbox.requests.filter(({ call }) => call === 'read').length)
    .toBeGreaterThan(0)
  shop.sandbox.clear()
  const start = performance.now()
  await sleep(1_000)
  // Ten a second, and one that was due at the start.
  const requests = shop.sandbox.requests.length
  expect(requests / (performance.now() - start)).toBeLessThanOrEqual(11 / 1_000)
  expect(requests).toBeGreaterThan(0)
})

test('of several replicas one sweeps, and one that has ended loses its lease', async () => {
  const { clock, shop } = await open({ pace: IDLE_JOBS })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  clock.forward(HOUR + MINUTE)
  const until = new Date(clock.now().getTime() + 50_000).toISOString()
  const { leases } = shop.services.store
  expect(await leases.acquire('sweep', 'an ended process', until)).toBe(true)
  const replica = { now: clock.now, pace: SWEEPING }
  shop.sandbox.clear()
  await startReplica(shop, replica)
  await startReplica(shop, replica)
  await someSweeps()
  expect(shop.sandbox.requests).toEqual([])
  expect(await stateOf(shop, checkoutId)).toBe('open')
  clock.forward(MINUTE)
  await expect.poll(() => stateOf(shop, checkoutId)).toBe('complete')
  await someSweeps()
  // Each begins with a backfill, and the first one settles the checkout.
  expect(shop.sandbox.requests.map(({ call }) => call)).toEqual(['list', 'list'])
})

test('sessions of other shops are not touched', async () => {
  const { clock, receiver, shop } = await open()
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
  const ours = await click(shop)
  const { asked } = ours.session
  const foreign: Record<string, unknown>[] = [
    { ...asked, success_url: 'https://other.example/success?checkout=1' },
    { ...asked, success_url: 'http://localhost.other.example/success' },
    { ...asked, metadata: {} },
    { ...asked, metadata: { ...asked.metadata, checkout_id: 'order 7' } },
    { ...asked, metadata: { checkout_id: '1b4e28ba-2fa1-41d2-883f-0016d3cca427', items: 'tee' } },
    { ...asked, metadata: { checkout_id: '1b4e28ba-2fa1-41d2-883f-0016d3cca427' } },
  ]
  change(shop, 'delete from checkouts')
  for (const body of foreign) {
    const answer = await fetch(`${shop.sandbox.url}/v2/checkout-sessions`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`${CREDENTIALS.clientId}:${CREDENTIALS.apiKey}`)}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(body),
    })
    expect(answer.status).toBe(200)
  }
  for (const { id } of sessionsOf(shop)) await shop.sandbox.pay(id)
  clock.forward(HOUR + MINUTE)
  await expect
    .poll(() => rowsOf(shop).map(({ id, state }) => [id, state]))
    .toEqual([[ours.checkoutId, 'complete']])
  await expect.poll(() => receiver.ids()).toEqual([`order_${ours.checkoutId}`])
})

test('a sale whose row could not be written is restored completely, and announced', async () => {
  const { clock, receiver, shop } = await open()
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
  const unlock = lockStore(shop)
  const link = '/buy/tee:2,mug:3?client_reference_id=ref-7&metadata_note=gift&utm_source=mail'
  expect((await shop.get(link)).status).toBe(303)
  unlock()
  expect(rowsOf(shop)).toEqual([])
  const [session] = sessionsOf(shop)
  if (session === undefined) throw new Error('no session')
  await payQuietly(shop, session, { email: 'jane@example.com' })
  clock.forward(HOUR + MINUTE)
  const id = String(session.metadata?.checkout_id)
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
  expect(await checkoutOf(shop, id)).toMatchObject({
    items: [
      { sku: 'tee', name: 'Black T-shirt, M', quantity: 2, amount: 2500 },
      { sku: 'mug', name: 'Mug', quantity: 3, amount: 1200 },
    ],
    amountTotal: 8600,
    amountPaid: 8600,
    link: '/buy/tee:2,mug:3',
    clientReferenceId: 'ref-7',
    customerEmail: 'jane@example.com',
    metadata: { note: 'gift', utm_source: 'mail' },
    createdAt: session.created,
  })
  await expect.poll(() => receiver.ids()).toEqual([`order_${id}`])
})

test('an open session that Dots does not know any more is expired a day later', async () => {
  const { clock, shop } = await open()
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext({ status: 404 }, 1_000, 'read')
  shop.sandbox.failNext({ alter: () => ({ has_more: false, data: [] }) }, 1_000, 'list')
  clock.forward(2 * HOUR)
  await someSweeps()
  expect(await stateOf(shop, checkoutId)).toBe('open')
  clock.forward(25 * HOUR)
  await expect.poll(() => stateOf(shop, checkoutId)).toBe('expired')
})

test('a session whose check fails does not keep the others from being checked', async () => {
  const { clock, shop } = await open()
  const bad = await click(shop)
  await sleep(5)
  const good = await click(shop)
  await payQuietly(shop, good.session)
  shop.sandbox.failNext({ status: 200, body: 'nonsense' }, 1, 'read')
  clock.forward(HOUR + MINUTE)
  await expect.poll(() => stateOf(shop, good.checkoutId)).toBe('complete')
  clock.forward(11 * MINUTE)
  await expect.poll(() => stateOf(shop, bad.checkoutId)).toBe('expired')
})
