import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const orders: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('checkouts')
      .addColumn('flags', 'text', (column) => column.notNull().defaultTo('[]'))
      .execute()
    await db.schema.alterTable('checkouts').addColumn('asked_at', 'text').execute()
    await db.schema
      .alterTable('checkouts')
      .addColumn('held', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()

    await db.schema
      .createTable('sales')
      .addColumn('sku', 'text', (column) => column.notNull())
      .addColumn('checkout_id', 'text', (column) => column.notNull())
      .addColumn('quantity', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('sales_pk', ['sku', 'checkout_id'])
      .execute()

    await db.schema
      .createTable('announcements')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('checkout_id', 'text', (column) => column.notNull().unique())
      .addColumn('body', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('next_attempt_at', 'text', (column) => column.notNull())
      .addColumn('last_error', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('delivered_at', 'text')
      .execute()
    await db.schema
      .createIndex('announcements_state_next_attempt_at')
      .on('announcements')
      .columns(['state', 'next_attempt_at'])
      .execute()

    await db.schema
      .createTable('events')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('hints', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('next_attempt_at', 'text', (column) => column.notNull())
      .addColumn('received_at', 'text', (column) => column.notNull())
      .execute()
    await db.schema
      .createIndex('events_state_next_attempt_at')
      .on('events')
      .columns(['state', 'next_attempt_at'])
      .execute()
    await db.schema.createIndex('events_received_at').on('events').column('received_at').execute()

    await db.schema
      .createTable('leases')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('holder', 'text')
      .addColumn('until', 'text', (column) => column.notNull())
      .addColumn('note', 'text')
      .execute()

    await db.schema
      .createTable('facts')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('value', 'text', (column) => column.notNull())
      .execute()
    // A database of the previous version counts as created at its oldest click.
    await sql`insert into facts (name, value) select 'made_at', min(created_at) from checkouts having min(created_at) is not null`.execute(
      db,
    )
  },
}
