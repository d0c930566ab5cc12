import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What a saved cart sells, to find the carts of an order that was paid. Older carts stay until they expire. */
export const boughtCarts: Migration = {
  async up(db: Kysely<unknown>) {
    await sql.raw('alter table saved_carts add column bought_as text').execute(db)
  },
}
