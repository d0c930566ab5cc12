import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { checkoutOf, click, EVERY_TIME, sessionsOf } from '../checkout/clicks.ts'
import { runBeside } from '../commands/run-command.ts'
import { startService } from '../service.ts'
import { startReceiver } from './receiver.ts'
import { IDLE_JOBS, movableClock, payQuietly } from './sale.ts'

const SWEEPING = { ...IDLE_JOBS, sweepEveryMs: 30, deliverEveryMs: 30, callsPerMinute: 60_000 }

test('a backfill that finds the lost first attempt of a click does not touch the click', async () => {
  const shop = await startService({ pace: SWEEPING })
  shop.sandbox.failNext('done-then-reset', 1, 'create')
  const answering = shop.get('/buy/tee')
  const sweeping = setInterval(() => void shop.services.store.leases.writeCursor('sweep', '{}'), 10)
  const answer = await answering
  clearInterval(sweeping)
  const location = answer.headers.get('location')
  const [lost, used] = sessionsOf(shop)
  expect(sessionsOf(shop)).toHaveLength(2)
  expect(location).toBe(used?.checkout_session_url)
  const id = String(used?.metadata?.checkout_id)
  expect(lost?.metadata?.checkout_id).toBe(id)
  expect((await checkoutOf(shop, id)).sessionId).toBe(used?.id)
  if (used === undefined) throw new Error('there is no second session')
  await payQuietly(shop, used)
  const page = await (await shop.get(`/success?checkout=${id}`)).text()
  expect(page).toContain('Your payment is complete')
})

test('a second paid session of one checkout is flagged and logged once, and announced no second time', async () => {
  const receiver = await startReceiver()
  const clock = movableClock()
  const shop = await startService({ env: receiver.env, now: clock.now, pace: SWEEPING })
  shop.sandbox.failNext('done-then-reset', 1, 'create')
  const { checkoutId, session } = await click(shop)
  const other = sessionsOf(shop).find(({ id }) => id !== session.id)
  if (other === undefined) throw new Error('there is no second session')
  await payQuietly(shop, session)
  await shop.get(`/success?checkout=${checkoutId}`)
  await payQuietly(shop, other)
  clock.forward(3_700)
  await expect.poll(async () => (await checkoutOf(shop, checkoutId)).flags).toEqual(['paid-twice'])
  clock.forward(3_700)
  await sleep(300)
  const lines = shop.log.filter((line) => line.secondSession === other.id)
  expect(lines).toMatchObject([{ level: 50, checkout: checkoutId, session: session.id }])
  expect(receiver.ids()).toEqual([`order_${checkoutId}`])
  expect(receiver.received[0]?.body).toMatchObject({ data: { flags: [] } })
  // What is known by now stands in what a person has sent again.
  expect(await runBeside(shop, 'orders', ['--resend', checkoutId])).toMatchObject({ code: 0 })
  await expect.poll(() => receiver.received[1]?.body).toMatchObject({ data: { flags: ['paid-twice'] } })
})

test('sessions that Dots reports as open without end delay no backfill, and are expired after a day', async () => {
  const clock = movableClock()
  const shop = await startService({
    now: clock.now,
    env: { CHECKOUT_EXPIRES_IN: '60' },
    pace: SWEEPING,
  })
  for (let n = 0; n < 55; n++) await click(shop)
  const first = sessionsOf(shop)[0]
  const stillOpen = { alter: (body: Record<string, unknown>) => ({ ...body, status: 'open' }) }
  shop.sandbox.failNext(stillOpen, EVERY_TIME, 'read')
  shop.sandbox.failNext(
    {
      alter: (body: Record<string, unknown>) => ({
        ...body,
        data: (Array.isArray(body.data) ? body.data : []).map((session: object) => ({
          ...session,
          status: 'open',
        })),
      }),
    },
    EVERY_TIME,
    'list',
  )
  clock.forward(3_600)
  const lists = () => shop.sandbox.requests.filter(({ call }) => call === 'list').length
  await expect.poll(lists).toBeGreaterThan(0)
  const seen = lists()
  clock.forward(3_700)
  await expect.poll(lists).toBeGreaterThan(seen)
  clock.forward(25 * 3_600)
  const state = async () => (await checkoutOf(shop, String(first?.metadata?.checkout_id))).state
  await expect.poll(state).toBe('expired')
})
