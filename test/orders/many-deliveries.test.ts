import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Service, startService } from '../service.ts'
import { listen, type Receiver, startReceiver } from './receiver.ts'
import { change, IDLE_JOBS, logged, movableClock, rows } from './sale.ts'

const DELIVERING = { ...IDLE_JOBS, deliverEveryMs: 50 }
/** What the contract gives an announcement that nothing is wrong with, whatever happens to the others. */
const PROMPTLY = { timeout: 10_000 }

/** Announcements that are due, and became so in this order; those with `attempts` are retries. */
function announce(shop: Service, name: string, count: number, attempts = 0): void {
  change(
    shop,
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
     insert into announcements (id, checkout_id, type, body, state, attempts, next_attempt_at, created_at)
     select '${name}-' || i, '${name}-' || i, 'checkout.completed', '{}', 'pending', ${attempts},
       '2026-01-01T00:00:00.000Z', '' from n`,
  )
}

/** How many of these the receiver has had, each once. */
const arrived = (receiver: Receiver, name: string) =>
  new Set(receiver.ids().filter((id) => id.startsWith(`${name}-`))).size

const stateOf = (shop: Service, name: string) =>
  new Set(
    rows(shop, 'announcements').flatMap(({ id, state }) =>
      String(id).startsWith(`${name}-`) ? [state] : [],
    ),
  )

/** A receiver that never answers what is named `hanging-…`. */
async function hangingReceiver(): Promise<Receiver> {
  const receiver = await startReceiver()
  receiver.answer = ({ id }) => (id.startsWith('hanging-') ? 'silence' : 204)
  return receiver
}

test.each([6, 60])(
  '%i announcements whose answers hang do not hold up the 34 behind them',
  async (hanging) => {
    const receiver = await hangingReceiver()
    const shop = await startService({ env: receiver.env, pace: DELIVERING })
    announce(shop, 'hanging', hanging)
    announce(shop, 'good', 34)
    await expect.poll(() => arrived(receiver, 'good'), PROMPTLY).toBe(34)
    await expect.poll(() => stateOf(shop, 'good'), PROMPTLY).toEqual(new Set(['delivered']))
    expect(arrived(receiver, 'hanging')).toBe(hanging)
    // They still hang: nothing was given up early to make room.
    expect(logged(shop, 'delivery.retry')).toEqual([])
  },
)

test('a thousand retries that hang do not hold up new orders', async () => {
  const receiver = await hangingReceiver()
  const shop = await startService({ env: receiver.env, pace: DELIVERING })
  announce(shop, 'hanging', 1_000, 1)
  await expect.poll(() => arrived(receiver, 'hanging'), PROMPTLY).toBeGreaterThan(0)
  announce(shop, 'new', 10)
  await expect.poll(() => arrived(receiver, 'new'), PROMPTLY).toBe(10)
})

test('a new order is announced at once while requests hang', async () => {
  const receiver = await hangingReceiver()
  const shop = await startService({ env: receiver.env, pace: DELIVERING })
  announce(shop, 'hanging', 20)
  await expect.poll(() => arrived(receiver, 'hanging'), PROMPTLY).toBe(20)
  announce(shop, 'new', 1)
  await expect.poll(() => arrived(receiver, 'new'), PROMPTLY).toBe(1)
})

test('a thousand due announcements are sent with few requests at a time, a few rows in each step', async () => {
  const receiver = await startReceiver()
  let open = 0
  let mostOpen = 0
  receiver.answer = () => {
    open += 1
    mostOpen = Math.max(mostOpen, open)
    setTimeout(() => (open -= 1), 5)
    return 204
  }
  const shop = await startService({ env: receiver.env })
  const { outbox } = shop.services.store
  let mostClaimed = 0
  const { claimDue } = outbox
  outbox.claimDue = async (...parameters) => {
    const claimed = await claimDue(...parameters)
    mostClaimed = Math.max(mostClaimed, claimed.length)
    return claimed
  }
  announce(shop, 'good', 900)
  announce(shop, 'again', 100, 3)
  await expect.poll(() => receiver.distinctIds(), { timeout: 30_000 }).toBe(1_000)
  await expect.poll(() => stateOf(shop, 'good'), PROMPTLY).toEqual(new Set(['delivered']))
  expect(receiver.received).toHaveLength(1_000)
  expect(mostClaimed).toBeLessThan(20)
  expect(mostOpen).toBeLessThan(100)
})

test('an announcement that waits for a time that only a wrong clock can have written is due', async () => {
  const receiver = await startReceiver()
  const shop = await startService({ env: receiver.env, pace: IDLE_JOBS })
  announce(shop, 'good', 3)
  const later = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString()
  change(shop, `update announcements set next_attempt_at = '${later(24 * 3_650)}' where id = 'good-1'`)
  change(shop, `update announcements set next_attempt_at = '${later(13)}', attempts = 1 where id = 'good-2'`)
  change(
    shop,
    `update announcements set next_attempt_at = '${later(10.9)}', attempts = 7 where id = 'good-3'`,
  )
  const until = new Date(Date.now() + 20_000).toISOString()
  const { outbox } = shop.services.store
  const claimed = [
    ...(await outbox.claimDue(9, until, 'first')),
    ...(await outbox.claimDue(9, until, 'retry')),
  ]
  expect(claimed.map(({ id }) => id)).toEqual(['good-1', 'good-2'])
})

test('an announcement whose answer is waited for is not sent a second time when the clock jumps', async () => {
  const receiver = await hangingReceiver()
  const clock = movableClock()
  const shop = await startService({ env: receiver.env, pace: DELIVERING, now: clock.now })
  announce(shop, 'hanging', 20)
  await expect.poll(() => arrived(receiver, 'hanging'), PROMPTLY).toBe(20)
  clock.forward(3_600)
  announce(shop, 'new', 1)
  const now = clock.now().toISOString()
  const claimedAgain = () => rows(shop, 'announcements').filter((row) => String(row.next_attempt_at) > now)
  await expect.poll(() => claimedAgain().length).toBeGreaterThanOrEqual(20)
  expect(rows(shop, 'announcements').filter(({ attempts }) => Number(attempts) > 1)).toEqual([])
  await expect.poll(() => arrived(receiver, 'new'), PROMPTLY).toBe(1)
  expect(receiver.received).toHaveLength(21)
})

test('a request that the stop cuts off does not count as a failure of the receiver', async () => {
  const receiver = await hangingReceiver()
  const shop = await startService({ env: receiver.env, pace: { ...DELIVERING, retrySeconds: [] } })
  announce(shop, 'hanging', 1)
  await expect.poll(() => receiver.received.length).toBe(1)
  await shop.app.close()
  expect(rows(shop, 'announcements')).toMatchObject([{ state: 'pending', attempts: 1, last_error: null }])
  expect(logged(shop, 'delivery.failed')).toEqual([])
})

test('an outcome that cannot be recorded is logged, and the announcement is sent again', async () => {
  const receiver = await startReceiver()
  const shop = await startService({ env: receiver.env, pace: DELIVERING })
  receiver.answer = () => {
    change(shop, 'alter table announcements rename to hidden')
    return 204
  }
  announce(shop, 'good', 1)
  await expect
    .poll(() => logged(shop, 'delivery.not-recorded'))
    .toMatchObject([{ level: 50, announcement: 'good-1', code: expect.stringMatching(/^SQLITE_/) }])
  receiver.answer = () => 204
  change(shop, "update hidden set next_attempt_at = ''")
  change(shop, 'alter table hidden rename to announcements')
  await expect.poll(() => stateOf(shop, 'good'), PROMPTLY).toEqual(new Set(['delivered']))
  expect(receiver.ids()).toEqual(['good-1', 'good-1'])
})

test('a receiver that takes one order after the other is not flooded with what it has no time for', async () => {
  const receiver = await startReceiver()
  let open = 0
  let mostOpen = 0
  let busy: Promise<unknown> = Promise.resolve()
  const slow = createServer((request, response) => {
    open += 1
    mostOpen = Math.max(mostOpen, open)
    request.resume()
    busy = busy
      .then(() => sleep(80))
      .then(() => {
        open -= 1
        response.writeHead(204).end()
      })
  })
  const env = { ...receiver.env, FULFILLMENT_URL: await listen(slow) }
  const shop = await startService({ env, pace: DELIVERING })
  announce(shop, 'good', 120)
  await expect.poll(() => stateOf(shop, 'good'), { timeout: 30_000 }).toEqual(new Set(['delivered']))
  expect(mostOpen).toBeLessThan(40)
  expect(logged(shop, 'delivery.retry')).toEqual([])
})
