import type { Kysely } from 'kysely'
import type { Checkout } from './checkout.ts'
import { fromRow } from './checkout-row.ts'
import type { Step } from './step.ts'
import type { CheckoutFilter, CheckoutLookups } from './store.ts'
import type { Tables } from './tables.ts'

/** The queries behind {@link CheckoutLookups}, for any database that Kysely speaks. */
export function checkoutLookups(db: Kysely<Tables>, step: Step): CheckoutLookups {
  return {
    find(id: string): Promise<Checkout | undefined> {
      return step(async () => {
        const row = await db.selectFrom('checkouts').selectAll().where('id', '=', id).executeTakeFirst()
        return row === undefined ? undefined : fromRow(row)
      })
    },

    findByHints(hints: readonly string[]): Promise<Checkout[]> {
      if (hints.length === 0) return Promise.resolve([])
      const wanted = [...hints]
      return step(async () => {
        const rows = await db
          .selectFrom('checkouts')
          .selectAll()
          .where((row) =>
            row.or([
              row('id', 'in', wanted),
              row('session_id', 'in', wanted),
              row('payment_intent_id', 'in', wanted),
            ]),
          )
          .execute()
        return rows.map(fromRow)
      })
    },

    overdue({ before, askedBefore }, limit: number): Promise<Checkout[]> {
      return step(async () => {
        const rows = await db
          .selectFrom('checkouts')
          .selectAll()
          .where('state', '=', 'open')
          .where('expires_at', '<', before)
          .where((row) => row.or([row('asked_at', 'is', null), row('asked_at', '<', askedBefore)]))
          .orderBy('expires_at')
          .limit(limit)
          .execute()
        return rows.map(fromRow)
      })
    },

    unfinished(before: string, limit: number): Promise<Checkout[]> {
      return step(async () => {
        const rows = await db
          .selectFrom('checkouts')
          .selectAll()
          .where((row) =>
            row.or([
              row('state', 'in', ['creating', 'unknown']),
              // Dots gave no id. Once it was asked about at its end, it is not looked for any more.
              row.and([
                row('state', '=', 'open'),
                row('session_id', 'is', null),
                row('asked_at', 'is', null),
              ]),
            ]),
          )
          .where('created_at', '<', before)
          .orderBy('created_at')
          .limit(limit)
          .execute()
        return rows.map(fromRow)
      })
    },

    countSales(sku: string, atMost: number): Promise<number> {
      return step(() => countSales(db, sku, atMost))
    },

    countLinkSales(linkId: string): Promise<number> {
      return step(async () => {
        const { sales } = await db
          .selectFrom('checkouts')
          .select((row) => row.fn.countAll<number | bigint | string>().as('sales'))
          .where('link_id', '=', linkId)
          .where('state', '=', 'complete')
          .executeTakeFirstOrThrow()
        return Number(sales)
      })
    },

    list(filter: CheckoutFilter, limit: number, after?: Checkout): Promise<Checkout[]> {
      return step(async () => {
        let query = db.selectFrom('checkouts').selectAll()
        if (filter.state !== undefined) query = query.where('state', '=', filter.state)
        if (filter.since !== undefined) query = query.where('created_at', '>=', filter.since)
        if (filter.until !== undefined) query = query.where('created_at', '<', filter.until)
        if (filter.failed === true) {
          query = query.where((row) =>
            row.or([
              row('flags', '!=', '[]'),
              row(
                'id',
                'in',
                row.selectFrom('announcements').select('checkout_id').where('state', '=', 'failed'),
              ),
            ]),
          )
        }
        if (after !== undefined) {
          query = query.where((row) =>
            row.or([
              row('created_at', '<', after.createdAt),
              row.and([row('created_at', '=', after.createdAt), row('id', '<', after.id)]),
            ]),
          )
        }
        const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute()
        return rows.map(fromRow)
      })
    },
  }
}

/** How many completed sales had this sku in them, counted up to `atMost`. */
export async function countSales(db: Kysely<Tables>, sku: string, atMost: number): Promise<number> {
  const { sales } = await db
    .selectFrom((from) =>
      from.selectFrom('sales').select('sku').where('sku', '=', sku).limit(atMost).as('some'),
    )
    .select((row) => row.fn.countAll<number | bigint | string>().as('sales'))
    .executeTakeFirstOrThrow()
  return Number(sales)
}
