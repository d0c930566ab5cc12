import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { runStatements } from './run-statements.ts'

/** The columns that this migration reads and writes. */
type Tables = {
  checkouts: {
    id: string
    state: string
    created_at: string
    expires_at: string | null
    reusable_until: string | null
  }
}

const STATEMENTS = [
  'drop index checkouts_browser_fingerprint',
  'drop index selections_kept_at',
  'alter table selections rename to saved_carts',
  'alter table facts rename to metadata',
  'alter table checkouts rename column asked_at to last_checked_at',
  'alter table checkouts rename column browser to browser_id',
  'alter table checkouts rename column fingerprint to purchase_hash',
  'alter table checkouts rename column held to is_held',
  'alter table checkouts add column reusable_until text',
  'alter table saved_carts rename column browser to browser_id',
  'alter table saved_carts rename column kept_at to saved_at',
  'alter table events rename column hints to candidate_ids',
  'alter table leases rename column note to cursor',
  'create index checkouts_browser_id_purchase_hash on checkouts (browser_id, purchase_hash)',
  'create index saved_carts_saved_at on saved_carts (saved_at)',
  "update metadata set name = 'created_at' where name = 'made_at'",

  // The note was the text `walked TIME` after a whole backfill, and JSON during one. Without a cursor the next sweep
  // starts a backfill of its own.
  `update leases set cursor = case
     when cursor like 'walked %' then '{"completedAt":"' || substr(cursor, 8) || '"}'
     when cursor like '{%}' then '{"backfill":' || cursor || '}'
   end`,

  // One announcement for each checkout and type. SQLite cannot drop a constraint, so the table is rebuilt.
  `create table typed_announcements (
     id text primary key, checkout_id text not null, type text not null, body text not null, state text not null,
     attempts integer not null, next_attempt_at text not null, last_error text, created_at text not null,
     delivered_at text, unique (checkout_id, type)
   )`,
  `insert into typed_announcements select id, checkout_id, 'checkout.completed', body, state, attempts,
     next_attempt_at, last_error, created_at, delivered_at from announcements`,
  'drop table announcements',
  'alter table typed_announcements rename to announcements',
  'create index announcements_state_next_attempt_at on announcements (state, next_attempt_at)',
]

export const standardWords: Migration = {
  async up(db: Kysely<Tables>) {
    await runStatements(db, STATEMENTS)
    const open = await db
      .selectFrom('checkouts')
      .select(['id', 'created_at', 'expires_at'])
      .where('state', '=', 'open')
      .execute()
    for (const { id, created_at, expires_at } of open) {
      const end = Date.parse(expires_at ?? '')
      // A time that cannot be read must not keep the service from starting: the checkout is then not reused.
      if (Number.isNaN(end) || Number.isNaN(Date.parse(created_at))) continue
      // A minute before the end, or after half of a short life.
      const left = Math.min(60_000, Math.max(end - Date.parse(created_at), 0) / 2)
      const reusable_until = new Date(end - left).toISOString()
      await db.updateTable('checkouts').set({ reusable_until }).where('id', '=', id).execute()
    }
  },
}
