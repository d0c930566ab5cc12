import { StatementSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { click, rowsOf } from '../checkout/clicks.ts'
import { startFront } from './front.ts'
import { change, IDLE_JOBS, movableClock, payQuietly, rows, startReplica, startWithWebhook } from './sale.ts'

const MANY = 10_000
/** Most rows that may be read and changed in one turn of the event loop, by steps of several jobs that come together. */
const MAX_ROWS_A_TURN = 2_000
const WORKING = { ...IDLE_JOBS, sweepEveryMs: 100, eventsEveryMs: 50, callsPerMinute: 60_000 }

/** Counts the rows that statements return and change in each turn of the event loop, until the test is over. */
function countRows() {
  const { all, run } = StatementSync.prototype
  let rowsOfTurn = 0
  const counted = { most: 0, turns: 0 }
  const add = (count: number) => {
    if (rowsOfTurn === 0) {
      setImmediate(() => {
        counted.most = Math.max(counted.most, rowsOfTurn)
        counted.turns += 1
        rowsOfTurn = 0
      })
    }
    rowsOfTurn += count
  }
  StatementSync.prototype.all = function (...values) {
    const found = Reflect.apply(all, this, values)
    add(found.length)
    return found
  }
  StatementSync.prototype.run = function (...values) {
    const result = Reflect.apply(run, this, values)
    add(Number(result.changes))
    return result
  }
  onTestFinished(() => {
    Object.assign(StatementSync.prototype, { all, run })
  })
  return counted
}

/** A statement that inserts many copies of the only row of `table`, with other values for some columns. */
function copies(table: string, columns: readonly string[], values: Record<string, string>): string {
  const list = columns.map((column) => values[column] ?? column).join()
  return `insert into ${table} (${columns.join()})
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${MANY})
    select ${list} from ${table}, n`
}

test('ten thousand rows of each kind are handled in small steps', async () => {
  const clock = movableClock()
  const front = await startFront()
  const shop = await startWithWebhook({ now: clock.now, env: { DOTS_API_URL: front.url }, pace: IDLE_JOBS })
  front.target = shop.sandbox.url
  await click(shop)
  await shop.sandbox.sendEvent('none', { id: 'foreign', body: { payment_intent_id: 'a-foreign-intent' } })
  await expect.poll(() => rows(shop, 'events').length).toBe(1)
  const columns = (table: string) => Object.keys(rows(shop, table)[0] ?? {})
  const time = (hours: number) => `'${new Date(clock.now().getTime() + hours * 3_600_000).toISOString()}'`
  const checkouts = columns('checkouts')
  const ended = { state: "'open'", created_at: time(-32), expires_at: time(-29) }
  change(
    shop,
    [
      copies('checkouts', checkouts, {
        id: "'unknown-' || i",
        session_id: 'null',
        state: "'unknown'",
        created_at: time(-2),
      }),
      "delete from checkouts where id not like 'unknown-%' and id not in (select min(id) from checkouts)",
    ].join(';'),
  )
  change(
    shop,
    `update checkouts set id = 'forgotten-' || id, session_id = 'x-' || id, state = 'open',
       created_at = ${ended.created_at}, expires_at = ${ended.expires_at}
     where id like 'unknown-%' and cast(substr(id, 9) as integer) % 2 = 0`,
  )
  const events = columns('events')
  change(
    shop,
    [
      copies('events', events, { id: "'due-' || i", attempts: '2', next_attempt_at: time(-1) }),
      `update events set id = 'old-' || id, state = 'done', received_at = ${time(-24 * 8)} where id like 'due-%5'`,
      `insert into saved_carts (browser_id, items, fields, saved_at)
         with recursive n(i) as (select 1 union all select i + 1 from n where i < ${MANY})
         select 'browser-' || i, 'tee', '[]', ${time(-30)} from n`,
    ].join(';'),
  )
  front.rule = (_path, method) =>
    method === 'GET' ? { status: 200, body: { has_more: false, data: [] } } : undefined

  const counted = countRows()
  await startReplica(shop, { now: clock.now, pace: WORKING })
  const count = (table: string, where: string) => () =>
    rows(shop, `(select count(*) as total from ${table} where ${where})`)[0]?.total
  await expect.poll(count('checkouts', "state = 'failed'"), { timeout: 30_000 }).toBe(MANY / 2)
  await expect.poll(count('checkouts', "state = 'expired'"), { timeout: 30_000 }).toBe(MANY / 2)
  await expect.poll(count('events', "state = 'pending' and attempts > 1"), { timeout: 30_000 }).toBe(0)
  await expect.poll(count('events', "id like 'old-%'"), { timeout: 30_000 }).toBe(0)
  await expect.poll(count('saved_carts', 'true'), { timeout: 30_000 }).toBe(0)
  expect(counted.turns).toBeGreaterThan((4 * MANY) / MAX_ROWS_A_TURN)
  expect(counted.most).toBeLessThanOrEqual(MAX_ROWS_A_TURN)
})

test('twenty sales among thousands of webhooks of other shops are settled at once, and only they cost Dots calls', async () => {
  const shop = await startWithWebhook({ pace: { ...IDLE_JOBS, eventsEveryMs: 50 } })
  const sales = await Promise.all(Array.from({ length: 20 }, () => click(shop)))
  for (const { session } of sales) await payQuietly(shop, session)
  shop.sandbox.clear()
  const counted = countRows()
  let sent = 0
  const sender = async (): Promise<void> => {
    while (sent < 2_000) {
      sent += 1
      const sale = sent % 100 === 0 ? sales[sent / 100 - 1] : undefined
      const body = { payment_intent_id: sale?.session.payment_intent_id ?? `foreign-intent-${sent}` }
      expect(await shop.sandbox.sendEvent('none', { body })).toBe(200)
    }
  }
  await Promise.all(Array.from({ length: 20 }, sender))
  await expect.poll(() => rowsOf(shop).filter(({ state }) => state === 'complete').length).toBe(20)
  expect(shop.sandbox.requests.map(({ call }) => call)).toEqual(Array(20).fill('read'))
  expect(counted.most).toBeLessThanOrEqual(MAX_ROWS_A_TURN)
})

test('a webhook of another shop is looked for three times within ten minutes, then done, without a call to Dots', async () => {
  const clock = movableClock()
  const shop = await startWithWebhook({ now: clock.now, pace: { ...IDLE_JOBS, eventsEveryMs: 40 } })
  const timestamp = Math.floor(Date.now() / 1000)
  await shop.sandbox.sendEvent('none', { timestamp, body: { payment_intent_id: 'a-foreign-intent' } })
  const event = () => rows(shop, 'events').map(({ state, attempts }) => [state, attempts])
  expect(event()).toEqual([['pending', 1]])
  clock.forward(31)
  await expect.poll(event).toEqual([['pending', 2]])
  // Not only claimed for a minute: the second look is over.
  const waitMs = () => Date.parse(String(rows(shop, 'events')[0]?.next_attempt_at)) - clock.now().getTime()
  await expect.poll(waitMs).toBeGreaterThan(2 * 60_000)
  clock.forward(9 * 60)
  await expect.poll(event).toEqual([['done', 3]])
  expect(rows(shop, 'events')[0]).toMatchObject({ candidate_ids: '["a-foreign-intent"]' })
  expect(shop.sandbox.requests).toEqual([])
})

test('a webhook of a checkout that is restored a few minutes later settles it', async () => {
  const clock = movableClock()
  const shop = await startWithWebhook({ now: clock.now, pace: { ...IDLE_JOBS, eventsEveryMs: 40 } })
  const { session } = await click(shop)
  const [row = {}] = rowsOf(shop)
  change(shop, 'delete from checkouts')
  await payQuietly(shop, session)
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  clock.forward(31)
  await expect.poll(() => rows(shop, 'events')[0]?.attempts).toBe(2)
  const values = Object.values(row).map((value) => (value === null ? 'null' : `'${value}'`))
  change(shop, `insert into checkouts (${Object.keys(row)}) values (${values})`)
  clock.forward(9 * 60)
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
})
