import { type Kysely, sql } from 'kysely'
import Type from 'typebox'
import { deleteSome, rowReader } from './rows.ts'

/** A cart that the buyer has not checked out yet: the items segment of its link, and the fields of its form. */
interface SavedCart {
  items: string
  fields: readonly (readonly [name: string, value: string])[]
}

/** `fields` and `bought_as` are JSON. */
export type SavedCartsTable = {
  browser_id: string
  items: string
  fields: string
  saved_at: string
  /** {@link boughtAs}, null in a cart of an earlier version. */
  bought_as: string | null
}

type Units = readonly { sku: string; quantity: number }[]

/** The same text for the same products in the same quantities. */
export function boughtAs(units: Units): string {
  const pairs = units.map(({ sku, quantity }) => [sku, quantity] as const)
  return JSON.stringify(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const readCart = rowReader(
  Type.Object({ items: Type.String(), fields: Type.Array(Type.Tuple([Type.String(), Type.String()])) }),
)

/** The saved carts of browsers, one each. Times are ISO 8601. */
export function savedCartQueries(db: Kysely<{ saved_carts: SavedCartsTable }>, now: () => Date) {
  return {
    /** `units` is what it sells: the cart is removed when its browser has paid for the same. */
    save(browserId: string, { items, fields }: SavedCart, units: Units) {
      const bought_as = boughtAs(units)
      const cart = { items, fields: JSON.stringify(fields), saved_at: now().toISOString(), bought_as }
      return db
        .insertInto('saved_carts')
        .values({ browser_id: browserId, ...cart })
        .onConflict((conflict) => conflict.column('browser_id').doUpdateSet(cart))
        .execute()
    },

    /** Only a cart that was saved after this time. */
    async find(browserId: string, savedAfter: string): Promise<SavedCart | undefined> {
      const row = await db
        .selectFrom('saved_carts')
        .selectAll()
        .where('browser_id', '=', browserId)
        .where('saved_at', '>', savedAfter)
        .executeTakeFirst()
      return row && readCart(row)
    },

    remove: (browserId: string) => db.deleteFrom('saved_carts').where('browser_id', '=', browserId).execute(),

    /** Deletes some of the carts saved before this time, or after now; resolves to how many. */
    prune: (before: string) =>
      deleteSome(
        db,
        'saved_carts',
        'browser_id',
        sql`(saved_at < ${before} or saved_at > ${now().toISOString()})`,
      ),
  }
}
