import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

export const visits: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('checkouts').addColumn('link_id', 'text').execute()
    await db.schema.alterTable('checkouts').addColumn('browser', 'text').execute()
    await db.schema.alterTable('checkouts').addColumn('fingerprint', 'text').execute()
    // A second click looks for the checkout of the first one.
    await db.schema
      .createIndex('checkouts_browser_fingerprint')
      .on('checkouts')
      .columns(['browser', 'fingerprint'])
      .execute()
    // The uses of a signed link are its completed checkouts, which are counted.
    await db.schema
      .createIndex('checkouts_link_id_state')
      .on('checkouts')
      .columns(['link_id', 'state'])
      .execute()

    await db.schema
      .createTable('selections')
      .addColumn('browser', 'text', (column) => column.primaryKey())
      .addColumn('items', 'text', (column) => column.notNull())
      .addColumn('fields', 'text', (column) => column.notNull())
      .addColumn('kept_at', 'text', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('selections_kept_at').on('selections').column('kept_at').execute()
  },
}
