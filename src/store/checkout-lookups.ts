import { type Kysely, sql } from 'kysely'
import {
  type Checkout,
  type CheckoutState,
  type CheckoutsTable,
  type PurchaseKey,
  readCheckout,
} from './checkout.ts'
import {
  type AnnouncementStatus,
  type AnnouncementsTable,
  COMPLETED,
  readAnnouncementStatus,
} from './outbox.ts'
import { contains, count, prepared } from './rows.ts'
import type { SavedCartsTable } from './saved-carts.ts'

export type CheckoutTables = {
  checkouts: CheckoutsTable
  /** One row for each sku in a completed sale. */
  sales: { sku: string; checkout_id: string; quantity: number }
  announcements: AnnouncementsTable
  saved_carts: SavedCartsTable
}

export interface CheckoutFilter {
  state?: CheckoutState
  /** Those with this product in them. */
  sku?: string
  /** Those whose announcement has failed, or with a flag. */
  failed?: boolean
  /** Made at this time or later, ISO 8601. */
  since?: string
  /** Made before this time, ISO 8601. */
  until?: string
}

/** A checkout, and the state of its `checkout.completed` announcement; `undefined` where it has none. */
export interface ListedCheckout {
  checkout: Checkout
  announcement: AnnouncementStatus | undefined
}

export const byId = prepared((db: Kysely<CheckoutTables>, id: string) =>
  db.selectFrom('checkouts').selectAll().where('id', '=', id),
)

/** A second click later than this after the first one is a new purchase. */
const REUSABLE_MS = 15 * 60_000
/** More than the clocks of two processes differ: a row from further ahead was written under a wrong clock. */
const MAX_AHEAD_MS = 60_000

const reusable = prepared(
  (
    db: Kysely<CheckoutTables>,
    browserId: string,
    purchaseHash: string,
    after: string,
    before: string,
    at: string,
  ) =>
    db
      .selectFrom('checkouts')
      .selectAll()
      .where('browser_id', '=', browserId)
      .where('purchase_hash', '=', purchaseHash)
      .where('created_at', '>', after)
      .where('created_at', '<', before)
      .where('state', '=', 'open')
      .where('reusable_until', '>', at)
      .orderBy('created_at', 'desc')
      .limit(1),
)
/**
 * The live checkout that a browser has for a purchase at `at`: of the last 15 minutes, and open with time left to pay. The
 * newest, where there are several.
 */
export async function reusableCheckout(
  db: Kysely<CheckoutTables>,
  { browserId, purchaseHash }: PurchaseKey,
  at: Date,
): Promise<Checkout | undefined> {
  const ago = (ms: number) => new Date(at.getTime() - ms).toISOString()
  const times = [ago(REUSABLE_MS), ago(-MAX_AHEAD_MS), at.toISOString()] as const
  const { rows } = await reusable(db, browserId, purchaseHash, ...times)
  return rows[0] && readCheckout(rows[0])
}

/** The queries that only read. Times are ISO 8601. */
export function checkoutLookups(db: Kysely<CheckoutTables>) {
  const checkouts = db.selectFrom('checkouts').selectAll('checkouts')
  const all = async (query: typeof checkouts) => (await query.execute()).map(readCheckout)

  return {
    async find(id: string): Promise<Checkout | undefined> {
      const { rows } = await byId(db, id)
      return rows[0] && readCheckout(rows[0])
    },

    async findMany(ids: readonly string[]): Promise<Checkout[]> {
      return ids.length === 0 ? [] : all(checkouts.where('id', 'in', padded(ids)))
    },

    /** The checkouts that have one of these as their id, session id or payment intent id. */
    async findByAnyId(ids: readonly string[]): Promise<Checkout[]> {
      if (ids.length === 0) return []
      const list = padded(ids)
      return all(
        checkouts.where((row) =>
          row.or([
            row('id', 'in', list),
            row('session_id', 'in', list),
            row('payment_intent_id', 'in', list),
          ]),
        ),
      )
    },

    /** How many completed sales had this sku in them, counted up to `limit`, so that a long history costs no more. */
    countSales: (sku: string, limit: number) =>
      count(db, db.selectFrom('sales').select('sku').where('sku', '=', sku).limit(limit)),

    /** Which of these skus have reached their limits of completed sales. */
    async soldOut(limits: readonly { sku: string; limit: number }[]): Promise<Set<string>> {
      const counted = limits.map(({ sku, limit }) => {
        // Counted up to the limit, so that a long history costs no more.
        const some = db.selectFrom('sales').select('sku').where('sku', '=', sku).limit(limit)
        const sales = db.selectFrom(some.as('some')).select((row) => row.fn.countAll().as('sales'))
        return sales.select(sql<string>`cast(${sku} as text)`.as('sku'))
      })
      const [first, ...more] = counted
      if (first === undefined) return new Set()
      const rows = await more.reduce((all, one) => all.unionAll(one), first).execute()
      const sales = new Map(rows.map((row) => [row.sku, Number(row.sales)]))
      return new Set(limits.filter(({ sku, limit }) => (sales.get(sku) ?? 0) >= limit).map(({ sku }) => sku))
    },

    /** How many completed sales came through this signed link. */
    countLinkSales: (linkId: string) =>
      count(
        db,
        db.selectFrom('checkouts').select('id').where('link_id', '=', linkId).where('state', '=', 'complete'),
      ),

    /** The newest first, a page at a time: `after` is the last one of the page before. */
    async list(filter: CheckoutFilter, limit: number, after?: Checkout): Promise<ListedCheckout[]> {
      let query = checkouts
        .leftJoin('announcements', (join) =>
          join
            .onRef('announcements.checkout_id', '=', 'checkouts.id')
            .on('announcements.type', '=', COMPLETED),
        )
        .select(['announcements.state as announcement_state', 'announcements.last_error'])
      if (filter.state !== undefined) query = query.where('checkouts.state', '=', filter.state)
      if (filter.since !== undefined) query = query.where('checkouts.created_at', '>=', filter.since)
      if (filter.until !== undefined) query = query.where('checkouts.created_at', '<', filter.until)
      if (filter.sku !== undefined) {
        // The sku is the first key of an item; inside a name its quotation marks would be escaped.
        query = query.where(contains('checkouts.items', JSON.stringify({ sku: filter.sku }).slice(1, -1)))
      }
      if (filter.failed === true) {
        query = query.where(
          sql<boolean>`(checkouts.flags <> '[]'
            or checkouts.id in (select checkout_id from announcements where state = 'failed'))`,
        )
      }
      if (after !== undefined) {
        query = query.where(
          sql<boolean>`(checkouts.created_at, checkouts.id) < (${after.createdAt}, ${after.id})`,
        )
      }
      const rows = await query
        .orderBy('checkouts.created_at', 'desc')
        .orderBy('checkouts.id', 'desc')
        .limit(limit)
        .execute()
      return rows.map(({ announcement_state: state, last_error, ...row }) => ({
        checkout: readCheckout(row),
        announcement: state === null ? undefined : readAnnouncementStatus({ state, last_error }),
      }))
    },
  }
}

/**
 * The same ids, the first one repeated up to a power of two. Statements are kept prepared by their text, which is another
 * one for each length of a list.
 */
function padded(ids: readonly string[]): string[] {
  const length = 2 ** Math.ceil(Math.log2(ids.length))
  return [...ids, ...Array<string>(length - ids.length).fill(ids[0] ?? '')]
}
