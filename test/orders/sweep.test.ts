import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { checkoutOf, click, EVERY_TIME, rowsOf, sessionsOf } from '../checkout/clicks.ts'
import { CREDENTIALS, type Service, type ServiceOptions, startService } from '../service.ts'
import { startReceiver } from './receiver.ts'
import { change, lockStore, logged, movableClock, NO_LOOPS, payQuietly, rows, startReplica } from './sale.ts'

const SWEEPING = { ...NO_LOOPS, sweepEveryMs: 50, deliverEveryMs: 50, callsPerMinute: 60_000 }
const MINUTE = 60
const HOUR = 60 * MINUTE

async function open(options: ServiceOptions = {}) {
  const clock = movableClock()
  const receiver = await startReceiver()
  const shop = await startService({
    now: clock.now,
    pace: SWEEPING,
    ...options,
    env: { ...receiver.env, CHECKOUT_EXPIRES_IN: '3600', ...options.env },
  })
  return { clock, receiver, shop }
}

const listed = (shop: Service) => shop.sandbox.requests.filter(({ call }) => call === 'list')
/** What the sweep remembers after a whole backfill. */
const COMPLETED = { completedAt: expect.any(String) }
const cursorOf = (shop: Service) => JSON.parse(String(rows(shop, 'leases')[0]?.cursor ?? '{}'))
const stateOf = async (shop: Service, id: string) => (await checkoutOf(shop, id)).state
/** Some rounds of the sweep. */
const aWhile = () => sleep(300)

test('a buyer who paid and closed the tab, and whose event was lost, is found after the expiry', async () => {
  const { clock, receiver, shop } = await open()
  const paid = await click(shop)
  const unpaid = await click(shop)
  await payQuietly(shop, paid.session, { email: 'jane@example.com' })
  await aWhile()
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
    expect(await stateOf(shop, id)).toBe('unknown')
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
    await expect.poll(() => stateOf(shop, id), { timeout: 5_000 }).toBe('complete')
    await expect.poll(() => receiver.ids()).toEqual([`order_${id}`])
  },
)

test('what Dots never made is failed after an hour, and only after a whole backfill', async () => {
  const { clock, shop } = await open()
  shop.sandbox.failNext('reset', EVERY_TIME, 'create')
  await shop.get('/buy/tee')
  shop.sandbox.clear()
  const [row] = rowsOf(shop)
  const id = String(row?.id)
  // How the click ended is written down by itself; the row is as a killed process leaves it.
  change(shop, `update checkouts set state = 'creating', failure = null where id = '${id}'`)
  clock.forward(50 * MINUTE)
  await expect.poll(() => listed(shop).length).toBeGreaterThan(0)
  await aWhile()
  expect(await stateOf(shop, id)).toBe('creating')
  shop.sandbox.failNext({ status: 500 }, 1_000, 'list')
  clock.forward(20 * MINUTE)
  await aWhile()
  expect(await stateOf(shop, id)).toBe('creating')
  shop.sandbox.clear()
  // The list has failed often enough for the circuit breaker to be open for a while.
  await expect.poll(() => stateOf(shop, id), { timeout: 15_000 }).toBe('failed')
  expect(await checkoutOf(shop, id)).toMatchObject({ failure: 'never-opened' })
})

test.each(['newest-first', 'oldest-first'] as const)(
  'more than two pages of sessions that run %s are read, each once',
  async (listOrder) => {
    const { clock, receiver, shop } = await open({ sandbox: { listOrder } })
    const [first, ...others] = await Promise.all(Array.from({ length: 230 }, () => click(shop)))
    if (first === undefined) throw new Error('no click')
    for (const { session } of [first, ...others.slice(0, 20)]) await payQuietly(shop, session)
    change(shop, 'delete from checkouts')
    shop.sandbox.clear()
    clock.forward(HOUR + MINUTE)
    await expect.poll(() => rowsOf(shop).length, { timeout: 10_000 }).toBe(230)
    await expect.poll(() => receiver.distinctIds(), { timeout: 5_000 }).toBe(21)
    const pages = listed(shop)
      .slice(0, 3)
      .map(({ path }) => path)
    expect(new Set(pages).size).toBe(3)
    expect(pages[0]).toMatch(/\?limit=100$/)
    expect(receiver.received).toHaveLength(21)
  },
)

test('a backfill that Dots interrupts continues where it stopped', async () => {
  const { clock, shop } = await open()
  await Promise.all(Array.from({ length: 250 }, () => click(shop)))
  await expect.poll(() => cursorOf(shop)).toEqual(COMPLETED)
  change(shop, 'delete from checkouts')
  shop.sandbox.clear()
  let asked = 0
  shop.sandbox.failNext(
    {
      alter: (body) => {
        asked += 1
        return body
      },
    },
    2,
    'list',
  )
  shop.sandbox.failNext({ status: 500 }, 4, 'list')
  clock.forward(HOUR + MINUTE)
  await expect.poll(() => rowsOf(shop).length, { timeout: 10_000 }).toBe(250)
  expect(asked).toBe(2)
  const paths = listed(shop)
    .slice(0, 6)
    .map(({ path }) => path)
  // Two pages, then the third one again and again until it is answered.
  expect(new Set(paths).size).toBe(3)
  expect(new Set(paths.slice(2)).size).toBe(1)
  expect(logged(shop, 'sweep.interrupted').length).toBeGreaterThan(0)
})

test('a list that cannot be continued is read from the top again, and never for ever', async () => {
  const { clock, shop } = await open()
  await Promise.all(Array.from({ length: 120 }, () => click(shop)))
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
  await expect.poll(() => rowsOf(shop).length, { timeout: 10_000 }).toBe(120)
  expect(listed(shop).filter(({ path }) => path.includes(cursor))).toHaveLength(1)
  // A list that gives the same page for every cursor is no list: nothing is given up on its word.
  shop.sandbox.clear()
  const page = { data: [sessionsOf(shop)[0]], has_more: true }
  shop.sandbox.failNext({ alter: () => page }, 1_000, 'list')
  clock.forward(HOUR + MINUTE)
  await expect.poll(() => cursorOf(shop), { timeout: 5_000 }).not.toEqual(COMPLETED)
  await aWhile()
  expect(cursorOf(shop)).not.toEqual(COMPLETED)
  shop.sandbox.clear()
  await expect.poll(() => cursorOf(shop), { timeout: 5_000 }).toEqual(COMPLETED)
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
  await sleep(1_000)
  // Ten a second.
  expect(shop.sandbox.requests.length).toBeLessThanOrEqual(11)
  expect(shop.sandbox.requests.length).toBeGreaterThanOrEqual(5)
})

test('of several replicas one sweeps, and one that died loses its lease', async () => {
  const { clock, shop } = await open({ pace: NO_LOOPS })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  const until = new Date(Date.now() + (HOUR + 2 * MINUTE) * 1000).toISOString()
  const { leases } = shop.services.store
  expect(await leases.acquire('sweep', 'a process that died', until)).toBe(true)
  const replica = { now: clock.now, pace: SWEEPING }
  await startReplica(shop, replica)
  await startReplica(shop, replica)
  clock.forward(HOUR + MINUTE)
  shop.sandbox.clear()
  await aWhile()
  expect(shop.sandbox.requests).toEqual([])
  expect(await stateOf(shop, checkoutId)).toBe('open')
  clock.forward(2 * MINUTE)
  await expect.poll(() => stateOf(shop, checkoutId)).toBe('complete')
  expect(shop.sandbox.requests.filter(({ call }) => call === 'read')).toHaveLength(1)
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

test('a sale whose row could not be written is restored whole, and announced', async () => {
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

test('an open session that Dots forgot is given up a day later', async () => {
  const { clock, shop } = await open()
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext({ status: 404 }, 1_000, 'read')
  shop.sandbox.failNext({ alter: () => ({ has_more: false, data: [] }) }, 1_000, 'list')
  clock.forward(2 * HOUR)
  await aWhile()
  expect(await stateOf(shop, checkoutId)).toBe('open')
  clock.forward(25 * HOUR)
  await expect.poll(() => stateOf(shop, checkoutId)).toBe('expired')
})

test('a session that always fails does not stand in the way of the others', async () => {
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
