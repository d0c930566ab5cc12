import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { migrations } from '../../src/store/migrations/migrations.ts'
import { openStore } from '../../src/store/open-store.ts'

/** A database that the code of commit 16cbd3c has written, with checkouts and announcements in every state. */
const FIXTURE = new URL('fixtures/version-16cbd3c.db.gz', import.meta.url)
/** Minutes after the last row was written. */
const NOW = new Date('2026-11-20T08:42:00.000Z')
const at = (time: string) => `2026-11-20T${time}.000Z`
const key = (id: string) => ({ browserId: `browser-${id}`, purchaseHash: `cart-${id}` })

async function oldDatabase(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-migration-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'shop.db')
  await writeFile(path, gunzipSync(await readFile(FIXTURE)))
  return path
}

async function migrated(path: string, now = NOW) {
  const store = await openStore(`sqlite:${path}`, { now: () => now })
  onTestFinished(() => store.close())
  return store
}

function query(path: string, text: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path)
  try {
    return database.prepare(text).all()
  } finally {
    database.close()
  }
}

test('every row of an older version is kept, with all its values', async () => {
  const path = await oldDatabase()
  const tables = ['checkouts', 'sales', 'announcements', 'events', 'leases', 'selections', 'facts'] as const
  const before = tables.map((table) => query(path, `select * from ${table} order by 1, 2`))
  await migrated(path)
  const renamed = { selections: 'saved_carts', facts: 'metadata' }
  const columns = {
    asked_at: 'last_checked_at',
    browser: 'browser_id',
    held: 'is_held',
    fingerprint: 'purchase_hash',
    hints: 'candidate_ids',
    kept_at: 'saved_at',
  }
  for (const [index, table] of tables.entries()) {
    const expected = before[index]?.map((row) =>
      Object.fromEntries(
        Object.entries(row)
          .filter(([name, value]) => name !== 'note' && value !== 'made_at')
          .map(([name, value]) => [
            Object.entries(columns).find(([old]) => old === name)?.[1] ?? name,
            value,
          ]),
      ),
    )
    const name = Object.entries(renamed).find(([old]) => old === table)?.[1] ?? table
    expect(expected?.length, table).toBeGreaterThan(0)
    for (const row of expected ?? []) {
      // Held was also what had nobody to be sent to.
      if (row.id === 'order_oversold') row.state = 'none'
    }
    expect(query(path, `select * from ${name} order by 1, 2`), table).toMatchObject(expected ?? [])
  }
  expect(query(path, "select * from metadata where name = 'created_at'")).toEqual([
    { name: 'created_at', value: at('08:00:00') },
  ])
})

test('checkouts are read as they were, and counted', async () => {
  const store = await migrated(await oldDatabase())
  expect(store.createdAt).toBe(at('08:00:00'))
  const found = await store.checkouts.list({}, 99)
  expect(Object.fromEntries(found.map(({ checkout }) => [checkout.id, checkout.state]))).toEqual({
    creating: 'creating',
    open: 'open',
    short: 'open',
    nobody: 'open',
    expired: 'expired',
    failed: 'failed',
    unknown: 'unknown',
    delivered: 'complete',
    'given-up': 'complete',
    retrying: 'complete',
    mismatch: 'complete',
    oversold: 'complete',
    restored: 'complete',
  })
  const status = new Map(found.map(({ checkout, announcement }) => [checkout.id, announcement]))
  expect(status.get('delivered')).toEqual({ state: 'delivered', lastError: null })
  expect(status.get('given-up')).toEqual({ state: 'failed', lastError: 'status 410' })
  expect(status.get('retrying')).toEqual({ state: 'pending', lastError: 'status 500' })
  expect(status.get('restored')).toEqual({ state: 'held', lastError: null })
  expect(status.get('oversold')).toEqual({ state: 'none', lastError: null })
  expect(status.get('mismatch')).toBeUndefined()
  expect(await store.checkouts.find('oversold')).toMatchObject({ flags: ['oversold', 'paid-twice'] })
  expect(await store.checkouts.find('restored')).toMatchObject({ isHeld: true, createdAt: at('07:00:00') })
  expect(await store.checkouts.countSales('tee', 99)).toBe(6)
  expect(await store.checkouts.countLinkSales('signed-1')).toBe(1)
  expect((await store.checkouts.findByAnyId(['session-open'])).map(({ id }) => id)).toEqual(['open'])
  expect((await store.checkouts.unresolved(NOW.toISOString(), 9)).map(({ id }) => id).toSorted()).toEqual([
    'creating',
    'unknown',
  ])
  const overdue = {
    endedBefore: at('10:00:00'),
    latestExpiry: at('12:00:00'),
    checkedBefore: [at('08:40:00')],
  }
  expect((await store.checkouts.overdue(overdue, 9)).map(({ id }) => id)).toEqual(['short', 'open'])
})

test('a second click finds the open checkout for 15 minutes, while there is time to pay', async () => {
  const path = await oldDatabase()
  const click = async (id: string, now: string) => {
    const store = await migrated(path, new Date(at(now)))
    return (await store.checkouts.findReusable(key(id)))?.id
  }
  expect(await click('open', '08:54:59')).toBe('open')
  expect(await click('open', '08:55:01')).toBeUndefined()
  expect(await click('short', '08:40:29')).toBe('short')
  expect(await click('short', '08:40:31')).toBeUndefined()
  expect(await click('creating', '08:40:39')).toBeUndefined()
  expect(await click('expired', '08:42:00')).toBeUndefined()
})

test('announcements are retried and resent, and a checkout can have one of another type', async () => {
  const path = await oldDatabase()
  const { outbox, checkouts } = await migrated(path)
  const claimed = async () =>
    (await outbox.claimDue(9, at('09:00:00'))).map(({ id, attempts }) => [id, attempts])
  expect(await claimed()).toEqual([['order_retrying', 2]])
  expect(await outbox.resend('delivered')).toBe('queued')
  expect(await outbox.release('restored')).toBe(true)
  expect((await claimed()).toSorted()).toEqual([
    ['order_delivered', 1],
    ['order_restored', 1],
  ])
  const insert = (id: string, type: string) =>
    query(
      path,
      `insert into announcements (id, checkout_id, type, body, state, attempts, next_attempt_at, created_at)
       values ('${id}', 'delivered', '${type}', '{}', 'pending', 0, '${at('08:41:00')}', '${at('08:41:00')}')`,
    )
  expect(() => insert('second', 'checkout.completed')).toThrow(/UNIQUE/)
  insert('refund_delivered', 'refund')
  expect(await claimed()).toEqual([['refund_delivered', 1]])
  const listed = await checkouts.list({ state: 'complete' }, 99)
  expect(listed.filter(({ checkout }) => checkout.id === 'delivered')).toHaveLength(1)
})

test('events and saved carts are found under their new names', async () => {
  const { events, savedCarts } = await migrated(await oldDatabase())
  expect(await events.record('event-done', [], at('09:00:00'))).toBe('seen')
  expect((await events.named()).candidateIds).toEqual(expect.arrayContaining(['intent-open']))
  expect(await events.claimDue(9, at('09:00:00'))).toEqual([
    {
      id: 'event-pending',
      candidateIds: ['session-open', 'intent-open'],
      attempts: 2,
    },
  ])
  expect(await savedCarts.find('browser-open', at('08:00:00'))).toEqual({
    items: 'tee:2,mug:1',
    fields: [
      ['buyer/email', 'jane+shop@example.com'],
      ['metadata_x', '"<é'],
    ],
  })
})

const BACKFILL = { since: at('04:30:00'), startedAt: at('08:39:50'), startingAfter: 'session-open' }

test.each([
  ['of a backfill', undefined, { backfill: BACKFILL }],
  ['of a whole backfill', "'walked 2026-11-20T08:39:50.000Z'", { completedAt: at('08:39:50') }],
  ['that is not there', 'null', undefined],
  ['that cannot be read', "'{'", undefined],
])("the sweep's cursor %s is one object", async (_what, note, expected) => {
  const path = await oldDatabase()
  if (note !== undefined) query(path, `update leases set note = ${note}`)
  const { leases } = await migrated(path)
  const cursor = await leases.readCursor('sweep')
  expect(cursor && JSON.parse(cursor)).toEqual(expected)
  expect(await leases.acquire('sweep', 'me', at('08:50:00'))).toBe(true)
  expect(await leases.readCursor('sweep')).toBe(cursor)
})

test('of two processes that open an older database at the same time one migrates it', async () => {
  const path = await oldDatabase()
  const script = fileURLToPath(new URL('write-checkouts.ts', import.meta.url))
  const codes = await Promise.all(
    ['left', 'right'].map(async (name) => {
      const child = spawn(process.execPath, [script, `sqlite:${path}`, name, '5'], { stdio: 'ignore' })
      const [code] = await once(child, 'exit')
      return code
    }),
  )
  expect(codes).toEqual([0, 0])
  expect(query(path, 'select count(*) as rows from checkouts')).toEqual([{ rows: 23 }])
  expect(query(path, 'select count(*) as rows from kysely_migration')).toEqual([
    { rows: Object.keys(migrations).length },
  ])
})
