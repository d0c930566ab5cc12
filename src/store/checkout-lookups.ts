import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import { type Checkout, type CheckoutState, type CheckoutsTable, fromRow } from './checkout.ts'
import { type AnnouncementStatus, type AnnouncementsTable, COMPLETED, statusFromRow } from './outbox.ts'
import { contains } from './store.ts'

export type CheckoutTables = {
  checkouts: CheckoutsTable
  /** One row for each sku in a completed sale. */
  sales: { sku: string; checkout_id: string; quantity: number }
  announcements: AnnouncementsTable
}

export interface CheckoutFilter {
  state?: CheckoutState
  /** Those with this product in them. */
  sku?: string
  /** Those with an announcement that was given up, or with a flag. */
  failed?: boolean
  /** Made at this time or later, ISO 8601. */
  since?: string
  /** Made before this time, ISO 8601. */
  until?: string
}

/** A checkout, and how its `checkout.completed` announcement is doing; `undefined` where it has none. */
export interface ListedCheckout {
  checkout: Checkout
  announcement: AnnouncementStatus | undefined
}

/** The questions about checkouts. */
export function checkoutLookups(db: Kysely<CheckoutTables>) {
  const checkouts = () => db.selectFrom('checkouts').selectAll('checkouts')
  const all = async (query: { execute(): Promise<CheckoutsTable[]> }) => (await query.execute()).map(fromRow)

  return {
    async find(id: string): Promise<Checkout | undefined> {
      const row = await checkouts().where('id', '=', id).executeTakeFirst()
      return row && fromRow(row)
    },

    async findMany(ids: readonly string[]): Promise<Checkout[]> {
      if (ids.length === 0) return []
      return all(checkouts().where('id', 'in', ids))
    },

    /** The checkouts that have one of these as their id, session id or payment intent id. */
    async findByAnyId(ids: readonly string[]): Promise<Checkout[]> {
      if (ids.length === 0) return []
      return all(
        checkouts().where((row) =>
          row.or([row('id', 'in', ids), row('session_id', 'in', ids), row('payment_intent_id', 'in', ids)]),
        ),
      )
    },

    /**
     * Open checkouts whose session ended before `before` and that were not checked since `checkedBefore` (ISO 8601),
     * the oldest first.
     */
    async overdue(
      { before, checkedBefore }: { before: string; checkedBefore: string },
      limit: number,
    ): Promise<Checkout[]> {
      return all(
        checkouts()
          .where('state', '=', 'open')
          .where('expires_at', '<', before)
          .where((row) =>
            row.or([row('last_checked_at', 'is', null), row('last_checked_at', '<', checkedBefore)]),
          )
          .orderBy('expires_at')
          .limit(limit),
      )
    },

    /** Checkouts made before `before` (ISO 8601) of which it is not known which session they have, the oldest first. */
    async unresolved(before: string, limit: number): Promise<Checkout[]> {
      return all(
        checkouts()
          .where((row) =>
            row.or([
              row('state', 'in', ['creating', 'unknown']),
              // Dots gave no id. After a check at its end there is nothing more to find out.
              row.and([
                row('state', '=', 'open'),
                row('session_id', 'is', null),
                row('last_checked_at', 'is', null),
              ]),
            ]),
          )
          .where('created_at', '<', before)
          .orderBy('created_at')
          .limit(limit),
      )
    },

    /** How many completed sales had this sku in them, counted up to `limit`, so that a long history costs no more. */
    countSales: (sku: string, limit: number): Promise<number> => countSales(db, sku, limit),

    /** How many completed sales came through this signed link. */
    async countLinkSales(linkId: string): Promise<number> {
      const { sales } = await db
        .selectFrom('checkouts')
        .select((row) => row.fn.countAll<number | bigint | string>().as('sales'))
        .where('link_id', '=', linkId)
        .where('state', '=', 'complete')
        .executeTakeFirstOrThrow()
      return Number(sales)
    },

    /** The newest first, a page at a time: `after` is the last one of the page before. */
    async list(filter: CheckoutFilter, limit: number, after?: Checkout): Promise<ListedCheckout[]> {
      let query = checkouts()
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
      if (filter.failed === true) query = query.where(isFailed)
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
      return rows.map((row) => ({
        checkout: fromRow(row),
        announcement: statusFromRow(row.announcement_state, row.last_error),
      }))
    },
  }
}

function isFailed(row: ExpressionBuilder<CheckoutTables, 'checkouts'>) {
  const givenUp = row.selectFrom('announcements').select('checkout_id').where('state', '=', 'failed')
  return row.or([row('checkouts.flags', '!=', '[]'), row('checkouts.id', 'in', givenUp)])
}

/** How many completed sales had this sku in them, counted up to `limit`. */
export async function countSales(db: Kysely<CheckoutTables>, sku: string, limit: number): Promise<number> {
  const { sales } = await db
    .selectFrom((from) =>
      from.selectFrom('sales').select('sku').where('sku', '=', sku).limit(limit).as('some'),
    )
    .select((row) => row.fn.countAll<number | bigint | string>().as('sales'))
    .executeTakeFirstOrThrow()
  return Number(sales)
}
