import type { Kysely, Transaction, Updateable } from 'kysely'
import {
  type CHECKOUT_FLAGS,
  type Checkout,
  type CheckoutState,
  type NewCheckout,
  parseCheckout,
} from './checkout.ts'
import type {
  CheckoutFilter,
  CheckoutStore,
  Completion,
  CompletionOutcome,
  OpenedSession,
  RecordOutcome,
} from './store.ts'
import type { CheckoutsTable, Tables } from './tables.ts'

/** Runs one atomic step, and does what its database needs around it (waiting for a lock, naming a failure). */
export type Step = <T>(work: () => Promise<T>) => Promise<T>

/** The queries behind {@link CheckoutStore}, for any database that Kysely speaks. */
export function checkoutQueries(db: Kysely<Tables>, step: Step, now: () => Date): CheckoutStore {
  /** One conditional update is one transition: two callers at the same time cannot both make it. */
  async function move(
    id: string,
    from: readonly CheckoutState[],
    change: Updateable<CheckoutsTable>,
    on: Kysely<Tables> | Transaction<Tables> = db,
  ): Promise<RecordOutcome> {
    const result = await on
      .updateTable('checkouts')
      .set({ ...change, updated_at: now().toISOString() })
      .where('id', '=', id)
      .where('state', 'in', [...from])
      .executeTakeFirst()
    if (result.numUpdatedRows > 0n) return 'recorded'
    const row = await on.selectFrom('checkouts').select('id').where('id', '=', id).executeTakeFirst()
    return row === undefined ? 'unknown-checkout' : 'superseded'
  }

  function insert(checkout: NewCheckout, createdAt: string) {
    return db
      .insertInto('checkouts')
      .values({
        id: checkout.id,
        state: 'creating',
        items: JSON.stringify(checkout.items),
        amount_total: checkout.amountTotal,
        currency: checkout.currency,
        link: checkout.link,
        client_reference_id: checkout.clientReferenceId,
        customer_email: checkout.customerEmail,
        metadata: JSON.stringify(checkout.metadata),
        flags: '[]',
        created_at: createdAt,
        updated_at: now().toISOString(),
      })
  }

  return {
    recordCreating(checkout: NewCheckout): Promise<void> {
      return step(async () => {
        await insert(checkout, now().toISOString()).execute()
      })
    },

    recordRestored(checkout: NewCheckout, createdAt: string): Promise<boolean> {
      return step(async () => {
        const result = await insert(checkout, createdAt)
          .onConflict((conflict) => conflict.column('id').doNothing())
          .executeTakeFirst()
        return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
      })
    },

    recordOpen(id: string, session: OpenedSession): Promise<RecordOutcome> {
      return step(() =>
        move(id, ['creating', 'unknown', 'failed'], {
          state: 'open',
          failure: null,
          session_id: session.sessionId ?? null,
          payment_intent_id: session.paymentIntentId ?? null,
          checkout_url: session.checkoutUrl ?? null,
          expires_at: session.expiresAt,
        }),
      )
    },

    recordFailed(id: string, reason: string): Promise<RecordOutcome> {
      return step(() => move(id, ['creating', 'unknown'], { state: 'failed', failure: reason }))
    },

    recordUnknown(id: string, reason: string): Promise<RecordOutcome> {
      return step(() => move(id, ['creating'], { state: 'unknown', failure: reason }))
    },

    recordCompletion(id: string, completion: Completion): Promise<CompletionOutcome> {
      return step(() => db.transaction().execute((transaction) => complete(transaction, id, completion)))
    },

    recordExpiry(id: string): Promise<RecordOutcome> {
      return step(() => move(id, ['creating', 'open', 'unknown'], { state: 'expired' }))
    },

    recordAsked(id: string): Promise<void> {
      return step(async () => {
        await db
          .updateTable('checkouts')
          .set({ asked_at: now().toISOString() })
          .where('id', '=', id)
          .execute()
      })
    },

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
          .where('state', 'in', ['creating', 'unknown'])
          .where('created_at', '<', before)
          .orderBy('created_at')
          .limit(limit)
          .execute()
        return rows.map(fromRow)
      })
    },

    countSales(sku: string): Promise<number> {
      return step(() => countSales(db, sku))
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

  /** Runs inside a transaction: the state, the sales, the flags and the announcement are one. */
  async function complete(
    transaction: Transaction<Tables>,
    id: string,
    { facts, completedAt, amountMismatch, announcement, salesLimits }: Completion,
  ): Promise<CompletionOutcome> {
    const outcome = await move(
      id,
      ['creating', 'open', 'unknown', 'failed', 'expired'],
      {
        state: 'complete',
        failure: null,
        completed_at: completedAt,
        // What Dots left out this time may have been known before: it is never overwritten with nothing.
        ...(facts.sessionId !== undefined && { session_id: facts.sessionId }),
        ...(facts.paymentIntentId !== undefined && { payment_intent_id: facts.paymentIntentId }),
        ...(facts.customerEmail !== undefined && { customer_email: facts.customerEmail }),
        ...(facts.amountPaid !== undefined && { amount_paid: facts.amountPaid }),
      },
      transaction,
    )
    if (outcome !== 'recorded') return { outcome }
    const row = await transaction
      .selectFrom('checkouts')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    const { items } = fromRow(row)
    const oversold: string[] = []
    for (const { sku, quantity } of items) {
      await transaction
        .insertInto('sales')
        .values({ sku, checkout_id: id, quantity })
        .onConflict((conflict) => conflict.columns(['sku', 'checkout_id']).doNothing())
        .execute()
      const limit = salesLimits.get(sku)
      if (limit !== undefined && (await countSales(transaction, sku)) > limit) oversold.push(sku)
    }
    const flags: (typeof CHECKOUT_FLAGS)[number][] = []
    if (oversold.length > 0) flags.push('oversold')
    if (amountMismatch) flags.push('amount-mismatch')
    if (flags.length > 0) {
      await transaction
        .updateTable('checkouts')
        .set({ flags: JSON.stringify(flags) })
        .where('id', '=', id)
        .execute()
    }
    if (announcement !== undefined) {
      await transaction
        .insertInto('announcements')
        .values({
          id: announcement.id,
          checkout_id: id,
          body: announcement.body,
          state: announcement.state,
          attempts: 0,
          next_attempt_at: completedAt,
          created_at: completedAt,
        })
        .execute()
    }
    return { outcome, oversold }
  }
}

async function countSales(db: Kysely<Tables>, sku: string): Promise<number> {
  const { sales } = await db
    .selectFrom('sales')
    .select((row) => row.fn.countAll<number | bigint | string>().as('sales'))
    .where('sku', '=', sku)
    .executeTakeFirstOrThrow()
  return Number(sales)
}

function fromRow(row: CheckoutsTable): Checkout {
  return parseCheckout({
    id: row.id,
    state: row.state,
    items: JSON.parse(row.items),
    // PostgreSQL hands a bigint over as text; cents stay far below what a number holds exactly.
    amountTotal: Number(row.amount_total),
    currency: row.currency,
    link: row.link,
    clientReferenceId: row.client_reference_id,
    customerEmail: row.customer_email,
    metadata: JSON.parse(row.metadata),
    sessionId: row.session_id,
    paymentIntentId: row.payment_intent_id,
    checkoutUrl: row.checkout_url,
    expiresAt: row.expires_at,
    amountPaid: row.amount_paid === null ? null : Number(row.amount_paid),
    failure: row.failure,
    flags: JSON.parse(row.flags),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    completedAt: row.completed_at,
  })
}
