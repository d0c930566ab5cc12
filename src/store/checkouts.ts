import type { Kysely, Updateable } from 'kysely'
import { type Checkout, type CheckoutState, type NewCheckout, parseCheckout } from './checkout.ts'
import type { CheckoutStore, CompletionFacts, OpenedSession, RecordOutcome } from './store.ts'
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
  ): Promise<RecordOutcome> {
    const result = await db
      .updateTable('checkouts')
      .set({ ...change, updated_at: now().toISOString() })
      .where('id', '=', id)
      .where('state', 'in', [...from])
      .executeTakeFirst()
    if (result.numUpdatedRows > 0n) return 'recorded'
    const row = await db.selectFrom('checkouts').select('id').where('id', '=', id).executeTakeFirst()
    return row === undefined ? 'unknown-checkout' : 'superseded'
  }

  return {
    recordCreating(checkout: NewCheckout): Promise<void> {
      const at = now().toISOString()
      return step(async () => {
        await db
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
            created_at: at,
            updated_at: at,
          })
          .execute()
      })
    },

    recordOpen(id: string, session: OpenedSession): Promise<RecordOutcome> {
      return step(() =>
        move(id, ['creating', 'unknown'], {
          state: 'open',
          session_id: session.sessionId ?? null,
          payment_intent_id: session.paymentIntentId ?? null,
          checkout_url: session.checkoutUrl,
          expires_at: session.expiresAt,
        }),
      )
    },

    recordFailed(id: string, reason: string): Promise<RecordOutcome> {
      return step(() => move(id, ['creating'], { state: 'failed', failure: reason }))
    },

    recordUnknown(id: string, reason: string): Promise<RecordOutcome> {
      return step(() => move(id, ['creating'], { state: 'unknown', failure: reason }))
    },

    recordCompletion(id: string, facts: CompletionFacts): Promise<RecordOutcome> {
      return step(() =>
        move(id, ['creating', 'open', 'unknown', 'failed', 'expired'], {
          state: 'complete',
          failure: null,
          completed_at: now().toISOString(),
          // What Dots left out this time may have been known before: it is never overwritten with nothing.
          ...(facts.sessionId !== undefined && { session_id: facts.sessionId }),
          ...(facts.paymentIntentId !== undefined && { payment_intent_id: facts.paymentIntentId }),
          ...(facts.customerEmail !== undefined && { customer_email: facts.customerEmail }),
          ...(facts.amountPaid !== undefined && { amount_paid: facts.amountPaid }),
        }),
      )
    },

    recordExpiry(id: string): Promise<RecordOutcome> {
      return step(() => move(id, ['creating', 'open', 'unknown'], { state: 'expired' }))
    },

    find(id: string): Promise<Checkout | undefined> {
      return step(async () => {
        const row = await db.selectFrom('checkouts').selectAll().where('id', '=', id).executeTakeFirst()
        return row === undefined ? undefined : fromRow(row)
      })
    },
  }
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
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    completedAt: row.completed_at,
  })
}
