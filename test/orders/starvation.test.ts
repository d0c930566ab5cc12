import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { backgroundLoop } from '../../src/orders/loop.ts'
import { type Click, checkoutOf, click, rowsOf } from '../checkout/clicks.ts'
import { type Service, type ServiceOptions, startService } from '../service.ts'
import { type FrontAnswer, startFront } from './front.ts'
import { startReceiver, WEBHOOK_SECRET } from './receiver.ts'
import { change, IDLE_JOBS, logged, movableClock, payQuietly, rows, startReplica } from './sale.ts'

const SWEEPING = { ...IDLE_JOBS, sweepEveryMs: 40, deliverEveryMs: 40, callsPerMinute: 60_000 }
const MINUTE = 60
const HOUR = 60 * MINUTE
const NOTHING_LISTED: FrontAnswer = { status: 200, body: { has_more: false, data: [] } }
const FIREWALL: FrontAnswer = { status: 403, body: '<html>Forbidden</html>' }
const BROKEN: FrontAnswer = { status: 500, body: { error: 'broken' } }

async function open({ pace = SWEEPING, sandbox }: ServiceOptions = {}) {
  const clock = movableClock()
  const wall = { aheadSeconds: 0 }
  const receiver = await startReceiver()
  const front = await startFront()
  const shop = await startService({
    now: () => new Date(clock.now().getTime() + wall.aheadSeconds * 1000),
    pace,
    // Dots' clock is right.
    sandbox: { now: clock.now, ...sandbox },
    clock: clock.monotonic,
    env: {
      ...receiver.env,
      CHECKOUT_EXPIRES_IN: '3600',
      DOTS_API_URL: front.url,
      DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET,
    },
  })
  front.target = shop.sandbox.url
  const states = () => rowsOf(shop).map(({ state }) => state)
  return {
    clock,
    /** The time of day, which may jump while the monotonic clock goes on. */
    wall,
    receiver,
    front,
    shop,
    states,
    /** Lets minutes pass, with a run of the sweep in each, until `isDone`; resolves to how many it took. */
    async minutes(
      most: number,
      isDone: () => boolean = () => false,
      { services }: Pick<Service, 'services'> = shop,
    ): Promise<number> {
      for (let minute = 1; minute <= most; minute++) {
        clock.forward(MINUTE)
        await aRun(services)
        await aRun(services)
        if (isDone()) return minute
      }
      return most + 1
    },
  }
}

/** Resolves when a run of a job has ended; the second one of two has certainly begun after the call. */
async function aRun({ jobs }: Service['services'], name: 'sweep' | 'events' = 'sweep'): Promise<void> {
  const before = jobs.runsEnded(name)
  while (jobs.runsEnded(name) === before) await sleep(5)
}

const isList = (path: string, method: string) => method === 'GET' && /^(?:\?|$)/.test(path)
const isReadOf = (clicks: readonly Click[], path: string) =>
  clicks.some(({ session }) => path === `/${session.id}`)

test.each([
  ['an error', BROKEN],
  ['the page of a firewall', FIREWALL],
  ['nonsense', { status: 200, body: '<html>' }],
])(
  'eleven sessions that Dots always answers with %s keep no other from being settled',
  async (_what, answer) => {
    const { clock, front, shop, states, minutes } = await open()
    const bad: Click[] = []
    for (let n = 0; n < 11; n++) bad.push(await click(shop))
    await sleep(5)
    const good = await click(shop)
    await payQuietly(shop, good.session)
    let lists = 0
    front.rule = (path, method) => {
      if (isReadOf(bad, path)) return answer
      if (!isList(path, method)) return undefined
      lists += path.includes('limit=100') ? 1 : 0
      return NOTHING_LISTED
    }
    clock.forward(HOUR)
    expect(await minutes(10, () => states().includes('complete'))).toBeLessThanOrEqual(5)
    expect(lists).toBeGreaterThan(0)
    await minutes(5)
    const warned = logged(shop, 'sweep.session-failed').map(({ checkout }) => checkout)
    expect(warned.toSorted()).toEqual(bad.map(({ checkoutId }) => checkoutId).toSorted())
    for (const line of logged(shop, 'sweep.session-failed')) {
      expect(line).toMatchObject({ level: 40, items: 'tee:1' })
    }
  },
)

test('a session that always fails is asked for with growing pauses, also after a restart', async () => {
  const { clock, front, shop, minutes } = await open()
  const bad = await click(shop)
  // The backfill of the start is over: no page that is on its way can show how the session ends.
  await minutes(1)
  const asked: number[] = []
  front.rule = (path, method) => {
    if (isList(path, method)) return NOTHING_LISTED
    if (!isReadOf([bad], path)) return undefined
    asked.push(clock.now().getTime())
    return FIREWALL
  }
  clock.forward(HOUR)
  await minutes(45)
  // At once, and after 10 and 20 minutes more.
  expect(asked).toHaveLength(3)
  await shop.services.stop()
  const options = { now: clock.now, pace: SWEEPING, clock: clock.monotonic }
  const next = await startReplica(shop, options)
  await minutes(10, undefined, next)
  expect(asked).toHaveLength(3)
  clock.forward(40 * MINUTE)
  await minutes(1, undefined, next)
  expect(asked).toHaveLength(4)
  front.rule = () => undefined
  clock.forward(2 * HOUR)
  await minutes(10, () => rowsOf(shop)[0]?.state === 'expired', next)
  expect(await checkoutOf(shop, bad.checkoutId)).toMatchObject({ state: 'expired' })
})

test('while the list always fails, overdue checkouts are checked one by one, a batch in a run', async () => {
  const { clock, front, shop, states, minutes } = await open()
  for (let n = 0; n < 60; n++) {
    const { session } = await click(shop)
    if (n % 3 === 0) await payQuietly(shop, session)
  }
  let lists = 0
  front.rule = (path, method) => {
    if (!isList(path, method)) return undefined
    lists += 1
    return lists % 2 === 0 ? BROKEN : FIREWALL
  }
  clock.forward(HOUR)
  const settled = () => states().filter((state) => state !== 'open').length
  expect(await minutes(3, () => settled() >= 20)).toBeLessThanOrEqual(3)
  expect((await shop.get('/readyz')).status).toBe(200)
  expect(await minutes(9, () => settled() === 60)).toBeLessThanOrEqual(9)
  expect(states().filter((state) => state === 'complete')).toHaveLength(20)
  expect(lists).toBeLessThan(20)
})

test.each([
  ['an error (those that ended first)', BROKEN, { before: 11, good: 60, after: 0 }],
  ['an error (those that ended last)', BROKEN, { before: 0, good: 60, after: 11 }],
  ['an error (those that ended first and last)', BROKEN, { before: 11, good: 60, after: 11 }],
  ['an error (most of those that have ended)', BROKEN, { before: 11, good: 5, after: 0 }],
  ['the page of a firewall', FIREWALL, { before: 11, good: 5, after: 0 }],
])(
  'sessions that Dots always answers with %s starve no other while the list always fails too',
  async (_what, answer, { before, good, after }) => {
    const { clock, front, shop, states, minutes } = await open()
    const bad: Click[] = []
    for (let n = 0; n < before; n++) bad.push(await click(shop))
    for (let n = 0; n < good; n++) await payQuietly(shop, (await click(shop)).session)
    for (let n = 0; n < after; n++) bad.push(await click(shop))
    front.rule = (path, method) => {
      if (isReadOf(bad, path)) return answer
      return isList(path, method) ? BROKEN : undefined
    }
    clock.forward(HOUR)
    const paid = () => states().filter((state) => state === 'complete').length
    const target = Math.min(good, 20)
    expect(await minutes(3, () => paid() >= target)).toBeLessThanOrEqual(3)
    expect(await minutes(15, () => paid() === good)).toBeLessThanOrEqual(15)
  },
)

test('a jump of the time of day does not shorten the pause of a list that fails', async () => {
  const { front, shop, wall, minutes } = await open()
  let lists = 0
  front.rule = (path, method) => {
    if (!isList(path, method)) return undefined
    lists += 1
    return FIREWALL
  }
  await minutes(1)
  expect(lists).toBe(1)
  wall.aheadSeconds = HOUR
  await aRun(shop.services)
  await aRun(shop.services)
  expect(lists).toBe(1)
  wall.aheadSeconds = -5 * MINUTE
  await minutes(2, () => lists > 1)
  expect(lists).toBe(2)
})

test('a click that its process has not survived is found within a minute of the next start', async () => {
  const { clock, shop, minutes } = await open()
  await minutes(1)
  await shop.services.stop()
  const { session } = await click(shop)
  change(shop, "update checkouts set state = 'creating', session_id = null, payment_intent_id = null")
  const next = await startReplica(shop, { now: clock.now, pace: SWEEPING, clock: clock.monotonic })
  await aRun(next.services)
  expect(rowsOf(shop)).toMatchObject([{ state: 'creating' }])
  await minutes(1, undefined, next)
  expect(rowsOf(shop)).toMatchObject([{ state: 'open', session_id: session.id }])
})

test('a Dots that is down is asked a few times a minute, and all is settled when it is back', async () => {
  const { clock, front, shop, states, minutes } = await open()
  for (let n = 0; n < 30; n++) await payQuietly(shop, (await click(shop)).session)
  let calls = 0
  front.rule = () => {
    calls += 1
    return BROKEN
  }
  clock.forward(HOUR)
  await minutes(20)
  expect(calls).toBeLessThan(100)
  front.rule = () => undefined
  await minutes(12, () => states().every((state) => state === 'complete'))
  expect(new Set(states())).toEqual(new Set(['complete']))
})

test('a page of the list that always fails does not hide sessions that are new', async () => {
  const { front, shop, minutes } = await open()
  for (let n = 0; n < 105; n++) await click(shop)
  front.rule = (path) => (path.includes('starting_after') ? BROKEN : undefined)
  await minutes(12)
  const lost = await click(shop)
  change(shop, `delete from checkouts where id = '${lost.checkoutId}'`)
  await minutes(20, () => rows(shop, 'checkouts').some(({ id }) => id === lost.checkoutId))
  expect(rows(shop, 'checkouts').map(({ id }) => id)).toContain(lost.checkoutId)
})

test('webhooks of sessions that always fail do not keep another from being processed', async () => {
  const { front, shop, clock, states } = await open({ pace: { ...IDLE_JOBS, eventsEveryMs: 40 } })
  shop.sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  const bad: Click[] = []
  for (let n = 0; n < 11; n++) bad.push(await click(shop))
  const good = await click(shop)
  front.rule = (path) => (isReadOf(bad, path) ? BROKEN : undefined)
  for (const { session } of bad) await shop.sandbox.sendEvent(session.id)
  await shop.sandbox.pay(good.session.id)
  for (let step = 0; step < 40 && !states().includes('complete'); step++) {
    clock.forward(5)
    await aRun(shop.services, 'events')
    await aRun(shop.services, 'events')
  }
  expect(await checkoutOf(shop, good.checkoutId)).toMatchObject({ state: 'complete' })
  expect(logged(shop, 'event.postponed').filter(({ code }) => code === 'dots-breaker-open')).toEqual([])
  expect(logged(shop, 'event.postponed')[0]).toMatchObject({ items: 'tee:1' })
})

test('webhooks whose sessions a firewall refuses do not end the run for the others', async () => {
  const { front, shop, states } = await open({ pace: { ...IDLE_JOBS, eventsEveryMs: 3_600_000 } })
  const clicks: Click[] = []
  for (let n = 0; n < 12; n++) clicks.push(await click(shop))
  const good = clicks.pop()
  if (good === undefined) throw new Error('no click')
  await payQuietly(shop, good.session)
  front.rule = (path) => (isReadOf(clicks, path) ? FIREWALL : undefined)
  const id = (n: number) => `msg_${n}`
  for (const [n, { session }] of [...clicks, good].entries()) {
    await shop.services.events.receive(id(n), { id: session.id })
  }
  change(shop, "update events set next_attempt_at = ''")
  await shop.services.events.processDue(new AbortController().signal)
  expect(states().filter((state) => state === 'complete')).toHaveLength(1)
  expect(logged(shop, 'event.postponed')).toHaveLength(11)
})

test('a webhook whose session cannot be read is tried again every ten minutes', async () => {
  const { clock, front, shop, states } = await open({ pace: IDLE_JOBS })
  const { session } = await click(shop)
  await payQuietly(shop, session)
  let reads = 0
  front.rule = () => {
    reads += 1
    return FIREWALL
  }
  const { events } = shop.services
  await events.receive('msg_1', { id: session.id })
  for (let tries = 1; tries <= 8; tries++) {
    clock.forward(10 * MINUTE + 1)
    await events.processDue(new AbortController().signal)
    expect(reads).toBe(tries)
  }
  front.rule = () => undefined
  clock.forward(10 * MINUTE + 1)
  await events.processDue(new AbortController().signal)
  expect(states()).toEqual(['complete'])
})

test('a lease and a cursor that were written under a clock a year ahead hold up nothing', async () => {
  const { clock, shop, minutes } = await open()
  await minutes(3)
  const { checkoutId } = await click(shop)
  const ahead = new Date(clock.now().getTime() + 365 * 86_400_000).toISOString()
  const cursor = JSON.stringify({ completedAt: ahead, longCompletedAt: ahead })
  change(shop, `update leases set holder = 'another', until = '${ahead}', cursor = '${cursor}'`)
  change(shop, 'delete from checkouts')
  await minutes(10, () => rowsOf(shop).length > 0)
  expect(rowsOf(shop).map(({ id }) => id)).toEqual([checkoutId])
})

test('a checkout whose expiry was computed under a clock a year ahead is settled', async () => {
  const { clock, front, shop, states, minutes } = await open()
  await payQuietly(shop, (await click(shop)).session)
  const ahead = new Date(clock.now().getTime() + 365 * 86_400_000).toISOString()
  change(shop, `update checkouts set expires_at = '${ahead}', last_checked_at = '${ahead}'`)
  front.rule = (path, method) => (isList(path, method) ? NOTHING_LISTED : undefined)
  await minutes(3, () => states().includes('complete'))
  expect(states()).toEqual(['complete'])
})

test('a checkout that has expired only under a clock a year ahead is settled when the clock is right', async () => {
  const { wall, front, shop, states, minutes } = await open()
  const { session } = await click(shop)
  wall.aheadSeconds = 365 * 24 * HOUR
  await minutes(10, () => states().includes('expired'))
  expect(states()).toEqual(['expired'])
  wall.aheadSeconds = 0
  await payQuietly(shop, session)
  front.rule = (path, method) => (isList(path, method) ? NOTHING_LISTED : undefined)
  await minutes(90, () => states().includes('complete'))
  expect(states()).toEqual(['complete'])
})

test('a row of a click that a clock ahead has left is resolved', async () => {
  const { clock, shop, minutes } = await open()
  const { checkoutId, session } = await click(shop)
  const ahead = new Date(clock.now().getTime() + 365 * 86_400_000).toISOString()
  change(
    shop,
    `update checkouts set state = 'creating', session_id = null, payment_intent_id = null, created_at = '${ahead}'`,
  )
  await minutes(7, () => rowsOf(shop)[0]?.state === 'open')
  expect(await checkoutOf(shop, checkoutId)).toMatchObject({ state: 'open', sessionId: session.id })
})

test('each start begins with a backfill, although one was completed just before', async () => {
  const { clock, shop, minutes } = await open()
  await minutes(1)
  await shop.services.stop()
  const { checkoutId } = await click(shop)
  change(shop, 'delete from checkouts')
  await startReplica(shop, { now: clock.now, pace: SWEEPING, clock: clock.monotonic })
  await expect.poll(() => rowsOf(shop).map(({ id }) => id)).toEqual([checkoutId])
})

test('a pause after a failure of the list lasts its length, also if the clock is set back meanwhile', async () => {
  const { clock, front, shop, minutes } = await open()
  let lists = 0
  front.rule = (path, method) => {
    lists += isList(path, method) ? 1 : 0
    return isList(path, method) ? BROKEN : undefined
  }
  await expect.poll(() => logged(shop, 'sweep.interrupted'), { timeout: 10_000 }).toHaveLength(1)
  clock.setWrong(-8 * MINUTE)
  const before = lists
  expect(await minutes(8, () => lists > before)).toBeLessThanOrEqual(2)
})

test('what is new in the list is read every five minutes', async () => {
  const { shop, minutes } = await open()
  for (let n = 0; n < 205; n++) await click(shop)
  await minutes(2)
  await click(shop)
  await minutes(20)
  const { checkoutId } = await click(shop)
  change(shop, `delete from checkouts where id = '${checkoutId}'`)
  shop.sandbox.clear()
  const isRestored = () => rows(shop, 'checkouts').some(({ id }) => id === checkoutId)
  expect(await minutes(7, isRestored)).toBeLessThanOrEqual(7)
  expect(shop.sandbox.requests.filter(({ call }) => call === 'list').length).toBeLessThanOrEqual(2)
})

test('of a list from new to old only what is new is read, and the part where many sessions have ended', async () => {
  const { clock, shop, minutes, states } = await open()
  const clickTimes = (times: number) => Promise.all(Array.from({ length: times }, () => click(shop)))
  const pages = () => shop.sandbox.requests.filter(({ call }) => call === 'list').length
  // With few sessions all of them are read once an hour.
  change(
    shop,
    `insert into checkouts (id, state, items, amount_total, currency, link, metadata, created_at, updated_at)
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 2001)
     select 'x' || i, 'failed', '[]', 1, 'usd', '/', '{}', '${clock.now().toISOString()}', '' from n`,
  )
  await clickTimes(60)
  clock.forward(30 * MINUTE)
  await clickTimes(450)
  await minutes(2)
  await click(shop)
  await minutes(8)
  await clickTimes(50)
  shop.sandbox.clear()
  await minutes(6)
  expect(pages()).toBeLessThanOrEqual(2)

  // The first sixty have expired, and nobody has said so. Five hundred newer ones are still open.
  clock.forward(14 * MINUTE)
  shop.sandbox.clear()
  expect(await minutes(12, () => states().filter((state) => state === 'expired').length === 60)).toBeLessThan(
    12,
  )
  expect(pages()).toBeLessThanOrEqual(4)
  expect(states().filter((state) => state === 'open')).toHaveLength(501)
})

test('a long list that is sorted from old to new is not read again as a whole, and may change its order', async () => {
  const { clock, front, shop, minutes } = await open({ sandbox: { listOrder: 'oldest-first' } })
  await Promise.all(Array.from({ length: 305 }, () => click(shop)))
  clock.forward(7 * HOUR)
  await minutes(1)
  shop.sandbox.clear()
  const loseOne = async () => {
    const { checkoutId } = await click(shop)
    change(shop, `delete from checkouts where id = '${checkoutId}'`)
    await minutes(15, () => rows(shop, 'checkouts').some(({ id }) => id === checkoutId))
    expect(rows(shop, 'checkouts').map(({ id }) => id)).toContain(checkoutId)
  }
  await loseOne()
  // The first page, and the one after the checkpoint.
  const lists = shop.sandbox.requests.filter(({ call }) => call === 'list')
  expect(lists).toHaveLength(2)
  expect(lists[1]?.path).toContain(`starting_after=${[...shop.sandbox.sessions.keys()][304]}`)
  front.rule = (path, method) => (isList(path, method) ? newestFirst(shop, path) : undefined)
  await loseOne()
})

/** A page of the sandbox's list in the other order. */
function newestFirst(shop: Service, path: string): FrontAnswer {
  const all = [...shop.sandbox.sessions.values()].reverse()
  const query = new URLSearchParams(path.slice(1))
  const after = query.get('starting_after')
  const start = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1
  const end = start + Number(query.get('limit'))
  return { status: 200, body: { has_more: end < all.length, data: all.slice(start, end) } }
}

test('a job that resolves to a shorter time runs again earlier, and a failed run counts', async () => {
  let runs = 0
  const loop = backgroundLoop({
    name: 'test',
    everyMs: 3_600_000,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    run: async () => {
      runs += 1
      if (runs === 3) throw new Error('a bug')
      return runs === 1 ? 1 : undefined
    },
  })
  loop.start()
  loop.runNow()
  await expect.poll(() => runs).toBe(2)
  loop.runNow()
  await expect.poll(() => loop.runsEnded()).toBe(3)
  expect(runs).toBe(3)
  await loop.stop()
})
