import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { type Click, checkoutOf, click } from '../checkout/clicks.ts'
import { runBeside } from '../commands/run-command.ts'
import type { Service, ServiceOptions } from '../service.ts'
import { listen, type Receiver, startReceiver } from './receiver.ts'
import { change, IDLE_JOBS, logged, movableClock, rows, startReplica, startWithWebhook } from './sale.ts'

const QUICK = { ...IDLE_JOBS, deliverEveryMs: 50, retrySeconds: [0.05, 0.05, 0.05] }

/** A cart and a buyer with all that a link can say of them. */
const CLICK_PATH =
  '/buy/tee:2,mug:3?email=asked@example.com&client_reference_id=ref-1&metadata_note=gift&utm_source=mail'

/** One sale, settled by its events, in a shop that announces to `receiver`. */
async function sell(
  receiver: Pick<Receiver, 'env'>,
  { path = '/buy/tee', ...options }: ServiceOptions & { path?: string } = {},
): Promise<Click & { shop: Service }> {
  const shop = await startWithWebhook({ ...options, env: { ...receiver.env, ...options.env } })
  const sale = await click(shop, path)
  await shop.sandbox.pay(sale.session.id, { email: 'paid-with@example.com' })
  await shop.sandbox.eventsSettled()
  const { state } = await checkoutOf(shop, sale.checkoutId)
  if (state !== 'complete') throw new Error(`the sale is ${state}`)
  return { ...sale, shop }
}

test('a paid order is announced exactly as documented, and signed as the standard says', async () => {
  const receiver = await startReceiver()
  const { shop, checkoutId, session } = await sell(receiver, { path: CLICK_PATH, pace: QUICK })
  await expect.poll(() => receiver.received.length).toBe(1)
  const [message] = receiver.received
  if (message === undefined) throw new Error('nothing came')
  const { completedAt } = (await shop.services.store.checkouts.find(checkoutId)) ?? {}
  expect(message.body).toEqual({
    type: 'checkout.completed',
    timestamp: completedAt,
    data: {
      checkout_id: checkoutId,
      session_id: session.id,
      payment_intent_id: session.payment_intent_id,
      items: [
        { sku: 'tee', name: 'Black T-shirt, M', quantity: 2, amount: 2500 },
        { sku: 'mug', name: 'Mug', quantity: 3, amount: 1200 },
      ],
      amount_total: 8600,
      amount_paid: 8600,
      flags: [],
      currency: 'usd',
      customer_email: 'paid-with@example.com',
      client_reference_id: 'ref-1',
      metadata: { note: 'gift', utm_source: 'mail' },
      completed_at: completedAt,
    },
  })
  expect(completedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(message).toMatchObject({ id: `order_${checkoutId}`, verified: true })
  expect(message.headers).toMatchObject({ 'content-type': 'application/json' })
  expect(Math.abs(Number(message.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(10)
  expect(shop.logText()).not.toContain('example.com')
  await expect.poll(() => rows(shop, 'announcements')).toMatchObject([{ state: 'delivered', attempts: 1 }])
})

test('the first of several secrets signs', async () => {
  const receiver = await startReceiver()
  const other = `whsec_${Buffer.from('an older secret').toString('base64')}`
  await sell(receiver, {
    pace: QUICK,
    env: { FULFILLMENT_SECRET: `${receiver.env.FULFILLMENT_SECRET},${other}` },
  })
  await expect.poll(() => receiver.received[0]?.verified).toBe(true)
})

test('a refused announcement is sent again with the same id until it is accepted', async () => {
  const receiver = await startReceiver()
  const answers = [500, 404, 204]
  receiver.answer = () => answers.shift() ?? 204
  const { shop, checkoutId } = await sell(receiver, { pace: QUICK })
  await expect.poll(() => rows(shop, 'announcements')).toMatchObject([{ state: 'delivered', attempts: 3 }])
  expect(receiver.ids()).toEqual(Array(3).fill(`order_${checkoutId}`))
  expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1)
  expect(receiver.received.every(({ verified }) => verified)).toBe(true)
  expect(logged(shop, 'delivery.retry')).toMatchObject([
    { level: 40, reason: 'status 500' },
    { level: 40, reason: 'status 404' },
  ])
})

test('the time between two attempts is the one of the schedule, at most a tenth longer', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 500
  const { shop } = await sell(receiver, { pace: { ...IDLE_JOBS, deliverEveryMs: 50 } })
  await expect.poll(() => rows(shop, 'announcements')[0]?.last_error).toBe('status 500')
  const [first] = rows(shop, 'announcements')
  const pause = Date.parse(String(first?.next_attempt_at)) - Date.now()
  // Five seconds, less what has passed since on a busy machine.
  expect(pause).toBeGreaterThan(1_000)
  expect(pause).toBeLessThan(5_500)
  expect(receiver.received).toHaveLength(1)
})

test('after the last attempt it has failed, with an error in the log and the state in the store', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 500
  const { shop, checkoutId } = await sell(receiver, { pace: QUICK })
  await expect.poll(() => rows(shop, 'announcements')).toMatchObject([{ state: 'failed', attempts: 4 }])
  expect(logged(shop, 'delivery.failed')).toMatchObject([{ level: 50, announcement: `order_${checkoutId}` }])
  const sent = receiver.received.length
  expect(sent).toBe(4)
  receiver.answer = () => 204
  expect(await shop.services.store.outbox.resend(checkoutId)).toBe('queued')
  await expect.poll(() => receiver.received.length).toBe(5)
  expect(new Set(receiver.ids())).toEqual(new Set([`order_${checkoutId}`]))
  await expect.poll(() => rows(shop, 'announcements')).toMatchObject([{ state: 'delivered' }])
})

test.each([301, 302, 303, 307, 308])('a %i is a failure, and is not followed', async (status) => {
  const receiver = await startReceiver()
  const elsewhere = await startReceiver()
  receiver.answer = () => ({ status, headers: { location: elsewhere.url } })
  const { shop } = await sell(receiver, { pace: { ...QUICK, retrySeconds: [] } })
  await expect
    .poll(() => rows(shop, 'announcements'))
    .toMatchObject([{ state: 'failed', last_error: `status ${status}` }])
  expect(elsewhere.received).toEqual([])
})

test('a receiver that never answers delays neither the shop nor its stop', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 'silence'
  const { shop, checkoutId } = await sell(receiver, { pace: QUICK })
  await expect.poll(() => receiver.received.length).toBe(1)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect((await shop.get(`/success?checkout=${checkoutId}`)).status).toBe(200)
  const start = performance.now()
  await shop.app.close()
  expect(performance.now() - start).toBeLessThan(4_000)
})

test('a receiver that refuses or breaks the connection is tried again', async () => {
  const receiver = await startReceiver()
  const broken = createServer((request) => request.socket.destroy())
  const url = await listen(broken)
  const { shop } = await sell(receiver, {
    pace: { ...QUICK, retrySeconds: [0.05] },
    env: { FULFILLMENT_URL: url },
  })
  await expect
    .poll(() => rows(shop, 'announcements'))
    .toMatchObject([
      { state: 'failed', attempts: 2, last_error: expect.stringMatching(/^(UND_ERR_SOCKET|ECONNRESET)$/) },
    ])
  broken.close()
  await shop.services.store.outbox.resend(String(rows(shop, 'announcements')[0]?.checkout_id))
  await expect
    .poll(() => rows(shop, 'announcements'))
    .toMatchObject([{ state: 'failed', last_error: 'ECONNREFUSED' }])
})

test('of an answer, whatever its length, only the status counts', async () => {
  const receiver = await startReceiver()
  const endless = createServer((_request, response) => {
    response.writeHead(200)
    const write = () => {
      while (response.write('x'.repeat(65_536)));
      response.once('drain', write)
    }
    write()
  })
  const url = await listen(endless)
  const { shop } = await sell(receiver, {
    pace: QUICK,
    env: { FULFILLMENT_URL: url },
  })
  await expect.poll(() => rows(shop, 'announcements')).toMatchObject([{ state: 'delivered' }])
})

const NO_RECEIVER = { FULFILLMENT_URL: '', FULFILLMENT_SECRET: '' }

test('an order without a receiver has the announcement none, and is sent only by --resend once there is one', async () => {
  const receiver = await startReceiver()
  const { shop, checkoutId } = await sell(receiver, { pace: QUICK, env: NO_RECEIVER })
  expect(rows(shop, 'announcements')).toMatchObject([{ state: 'none', attempts: 0 }])
  const later = { ...shop, env: { ...shop.env, ...receiver.env } }
  await startReplica(later, { pace: QUICK })
  expect(await runBeside(later, 'reconcile', ['--announce'])).toMatchObject({
    code: 0,
    stdout: expect.not.stringContaining('announced'),
  })
  expect(rows(shop, 'announcements')).toMatchObject([{ state: 'none', attempts: 0 }])
  expect(receiver.received).toEqual([])
  expect(await runBeside(shop, 'orders', ['--resend', checkoutId])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^FULFILLMENT_URL is not set/),
  })
  expect(await runBeside(later, 'orders', ['--resend', checkoutId])).toMatchObject({ code: 0 })
  await expect.poll(() => receiver.ids()).toEqual([`order_${checkoutId}`])
})

test('what is announced while there is no row of the checkout is its body alone', async () => {
  const receiver = await startReceiver()
  const { shop } = await sell(receiver, { env: NO_RECEIVER })
  change(shop, 'delete from checkouts')
  change(shop, "update announcements set state = 'pending'")
  await startReplica({ ...shop, env: { ...shop.env, ...receiver.env } }, { pace: QUICK })
  await expect.poll(() => receiver.received[0]?.text).toBe(rows(shop, 'announcements')[0]?.body)
})

test.each([
  'http://shop.example/orders',
  'http://10.0.0.1/',
  'ftp://localhost/',
  'https://user:pass@shop.example/',
])('announcements are not sent to %s', async (url) => {
  const base = {
    DOTS_CLIENT_ID: 'x',
    DOTS_API_KEY: 'y',
    PUBLIC_URL: 'https://shop.example',
    FULFILLMENT_SECRET: 'whsec_AAAA',
  }
  expect(() => loadConfig({ ...base, FULFILLMENT_URL: url })).toThrow('FULFILLMENT_URL')
  loadConfig({ ...base, FULFILLMENT_URL: 'https://shop.example/orders' })
})

test('a clock that is set forward and back brings no attempt forward', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 503
  const clock = movableClock()
  const pace = { ...QUICK, retrySeconds: [0.05, 3_600, 3_600] }
  const { shop } = await sell(receiver, { now: clock.now, clock: clock.monotonic, pace })
  await expect.poll(() => receiver.received.length).toBe(2)
  clock.setWrong(86_400)
  await moreRuns(shop)
  clock.setWrong(-86_400)
  await moreRuns(shop)
  expect(receiver.received).toHaveLength(2)
  clock.forward(4_000)
  await expect.poll(() => receiver.received.length).toBe(3)
  expect(rows(shop, 'announcements')).toMatchObject([{ state: 'pending', attempts: 3 }])
})

test('a delivery has not failed for good before the time of all pauses is over', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 503
  const clock = movableClock()
  const pace = { ...QUICK, retrySeconds: [0.05, 3_600, 3_600] }
  const { shop } = await sell(receiver, { now: clock.now, clock: clock.monotonic, pace })
  await expect.poll(() => logged(shop, 'delivery.retry').length).toBe(2)
  // As if other processes, whose clocks are ahead, had made more attempts.
  change(shop, 'update announcements set attempts = 8')
  clock.forward(4_000)
  await expect.poll(() => receiver.received.length).toBe(3)
  await expect.poll(() => rows(shop, 'announcements')).toMatchObject([{ state: 'pending', attempts: 9 }])
  clock.forward(4_000)
  await expect.poll(() => rows(shop, 'announcements')).toMatchObject([{ state: 'failed', attempts: 10 }])
})

async function moreRuns({ services: { jobs } }: Service): Promise<void> {
  const ended = jobs.runsEnded('deliveries')
  await expect.poll(() => jobs.runsEnded('deliveries')).toBeGreaterThan(ended + 2)
}
