import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

export const checkouts: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('checkouts')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('items', 'text', (column) => column.notNull())
      .addColumn('amount_total', 'bigint', (column) => column.notNull())
      .addColumn('currency', 'text', (column) => column.notNull())
      .addColumn('link', 'text', (column) => column.notNull())
      .addColumn('client_reference_id', 'text')
      .addColumn('customer_email', 'text')
      .addColumn('metadata', 'text', (column) => column.notNull())
      .addColumn('session_id', 'text')
      .addColumn('payment_intent_id', 'text')
      .addColumn('checkout_url', 'text')
      .addColumn('expires_at', 'text')
      .addColumn('amount_paid', 'bigint')
      .addColumn('failure', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('updated_at', 'text', (column) => column.notNull())
      .addColumn('completed_at', 'text')
      .execute()
    await db.schema.createIndex('checkouts_session_id').on('checkouts').column('session_id').execute()
    await db.schema
      .createIndex('checkouts_payment_intent_id')
      .on('checkouts')
      .column('payment_intent_id')
      .execute()
    // The sweep reads the open checkouts in the order of their expiry.
    await db.schema
      .createIndex('checkouts_state_expires_at')
      .on('checkouts')
      .columns(['state', 'expires_at'])
      .execute()
    await db.schema.createIndex('checkouts_created_at').on('checkouts').column('created_at').execute()
  },
}
