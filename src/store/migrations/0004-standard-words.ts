import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** The tables as this migration meets them. */
type Tables = {
  checkouts: {
    id: string
    state: string
    created_at: string
    expires_at: string | null
    reusable_until: string | null
  }
  leases: { name: string; cursor: string | null }
  metadata: { name: string }
}

const RENAMED_COLUMNS = [
  ['checkouts', 'asked_at', 'last_checked_at'],
  ['checkouts', 'browser', 'browser_id'],
  ['checkouts', 'fingerprint', 'purchase_hash'],
  ['saved_carts', 'browser', 'browser_id'],
  ['saved_carts', 'kept_at', 'saved_at'],
  ['events', 'hints', 'candidate_ids'],
  ['leases', 'note', 'cursor'],
] as const

export const standardWords: Migration = {
  async up(db: Kysely<Tables>) {
    await db.schema.dropIndex('checkouts_browser_fingerprint').execute()
    await db.schema.dropIndex('selections_kept_at').execute()
    await db.schema.alterTable('selections').renameTo('saved_carts').execute()
    await db.schema.alterTable('facts').renameTo('metadata').execute()
    for (const [table, from, to] of RENAMED_COLUMNS) {
      await db.schema.alterTable(table).renameColumn(from, to).execute()
    }
    await db.schema
      .createIndex('checkouts_browser_id_purchase_hash')
      .on('checkouts')
      .columns(['browser_id', 'purchase_hash'])
      .execute()
    await db.schema.createIndex('saved_carts_saved_at').on('saved_carts').column('saved_at').execute()

    await db.updateTable('metadata').set({ name: 'created_at' }).where('name', '=', 'made_at').execute()
    for (const { name, cursor } of await db.selectFrom('leases').select(['name', 'cursor']).execute()) {
      if (cursor === null) continue
      await db
        .updateTable('leases')
        .set({ cursor: cursorOf(cursor) })
        .where('name', '=', name)
        .execute()
    }

    await db.schema.alterTable('checkouts').addColumn('reusable_until', 'text').execute()
    const open = await db
      .selectFrom('checkouts')
      .select(['id', 'created_at', 'expires_at'])
      .where('state', '=', 'open')
      .execute()
    for (const { id, created_at, expires_at } of open) {
      if (expires_at === null) continue
      const end = Date.parse(expires_at)
      // A minute before the end, or after half of a short life.
      const left = Math.min(60_000, Math.max(end - Date.parse(created_at), 0) / 2)
      await db
        .updateTable('checkouts')
        .set({ reusable_until: new Date(end - left).toISOString() })
        .where('id', '=', id)
        .execute()
    }

    await typeAnnouncements(db)
  },
}

/** The lease's note was the text `walked TIME` after a whole backfill, and JSON during one. */
function cursorOf(note: string): string | null {
  const completedAt = /^walked (.+)$/.exec(note)?.[1]
  if (completedAt !== undefined) return JSON.stringify({ completedAt })
  try {
    return JSON.stringify({ backfill: JSON.parse(note) })
  } catch {
    // Without a cursor the next sweep starts a backfill of its own.
    return null
  }
}

/** SQLite cannot drop a constraint, so the table is rebuilt: one announcement for each checkout and type. */
async function typeAnnouncements(db: Kysely<Tables>): Promise<void> {
  await sql`
    create table typed_announcements (
      id text primary key, checkout_id text not null, type text not null, body text not null, state text not null,
      attempts integer not null, next_attempt_at text not null, last_error text, created_at text not null,
      delivered_at text, unique (checkout_id, type)
    )`.execute(db)
  await sql`
    insert into typed_announcements
    select id, checkout_id, 'checkout.completed', body, state, attempts, next_attempt_at, last_error, created_at,
      delivered_at
    from announcements`.execute(db)
  await db.schema.dropTable('announcements').execute()
  await db.schema.alterTable('typed_announcements').renameTo('announcements').execute()
  await db.schema
    .createIndex('announcements_state_next_attempt_at')
    .on('announcements')
    .columns(['state', 'next_attempt_at'])
    .execute()
}
