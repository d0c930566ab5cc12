import type { Kysely, Transaction, Updateable } from 'kysely'
import type { Checkout, CheckoutFlag, CheckoutState, NewCheckout } from './checkout.ts'
import { checkoutLookups, countSales } from './checkout-lookups.ts'
import { fromRow } from './checkout-row.ts'
import type { Step } from './step.ts'
import type {
  CheckoutStore,
  Completion,
  CompletionOutcome,
  OpenedSession,
  RecordOutcome,
  Visit,
} from './store.ts'
import type { CheckoutsTable, Tables } from './tables.ts'

/** A session that ends sooner is of no use to somebody who still has to find the card. */
const LIVE_FOR_MS = 60_000
/** A session that was given a short life is of use for this part of it at the least. */
const LIVE_FOR_SHARE = 0.5
/** Longer than a click may take; a row that is still being made after that was left by a process that died. */
const IN_THE_MAKING_MS = 10_000

/** Whether a buyer who is led back to the checkout has time to pay; one in the making has all of its life before it. */
function isOfUse({ createdAt, expiresAt }: Checkout, now: Date): boolean {
  if (expiresAt === null) return true
  const end = Date.parse(expiresAt)
  const life = end - Date.parse(createdAt)
  return end - now.getTime() > Math.min(LIVE_FOR_MS, life * LIVE_FOR_SHARE)
}

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

  function insert(
    checkout: NewCheckout,
    createdAt: string,
    { visit, isHeld = false, on = db }: { visit?: Visit; isHeld?: boolean; on?: Kysely<Tables> } = {},
  ) {
    return on.insertInto('checkouts').values({
      id: checkout.id,
      state: 'creating',
      items: JSON.stringify(checkout.items),
      amount_total: checkout.amountTotal,
      currency: checkout.currency,
      link: checkout.link,
      link_id: checkout.linkId,
      browser: visit?.browser ?? null,
      fingerprint: visit?.fingerprint ?? null,
      client_reference_id: checkout.clientReferenceId,
      customer_email: checkout.customerEmail,
      metadata: JSON.stringify(checkout.metadata),
      flags: '[]',
      held: isHeld ? 1 : 0,
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

    recordClick(checkout: NewCheckout, visit: Visit): Promise<Checkout | undefined> {
      const at = now()
      return step(() =>
        db.transaction().execute(async (transaction) => {
          const candidates = await transaction
            .selectFrom('checkouts')
            .selectAll()
            .where('browser', '=', visit.browser)
            .where('fingerprint', '=', visit.fingerprint)
            .where((row) =>
              row.or([
                row.and([row('state', '=', 'open'), row('expires_at', '>', at.toISOString())]),
                row.and([
                  row('state', '=', 'creating'),
                  row('created_at', '>', new Date(at.getTime() - IN_THE_MAKING_MS).toISOString()),
                ]),
              ]),
            )
            .orderBy('created_at', 'desc')
            .execute()
          const live = candidates.map(fromRow).find((candidate) => isOfUse(candidate, at))
          if (live !== undefined) return live
          await insert(checkout, at.toISOString(), { visit, on: transaction }).execute()
          return undefined
        }),
      )
    },

    recordRestored(checkout: NewCheckout, createdAt: string, isHeld = false): Promise<boolean> {
      return step(async () => {
        const result = await insert(checkout, createdAt, { isHeld })
          .onConflict((conflict) => conflict.column('id').doNothing())
          .executeTakeFirst()
        return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
      })
    },

    recordOpen(id: string, session: OpenedSession): Promise<RecordOutcome> {
      return step(() => move(id, ['creating', 'open', 'unknown', 'failed'], opened(session)))
    },

    recordFound(id: string, session: OpenedSession): Promise<RecordOutcome> {
      return step(() =>
        db.transaction().execute(async (transaction) => {
          const outcome = await move(id, ['creating', 'unknown', 'failed'], opened(session), transaction)
          if (outcome !== 'superseded') return outcome
          const result = await transaction
            .updateTable('checkouts')
            .set({ ...opened(session), updated_at: now().toISOString() })
            .where('id', '=', id)
            .where('state', '=', 'open')
            .where('session_id', 'is', null)
            .executeTakeFirst()
          return result.numUpdatedRows > 0n ? 'recorded' : 'superseded'
        }),
      )
    },

    recordFlag(id: string, flag: CheckoutFlag): Promise<boolean> {
      return step(() =>
        db.transaction().execute(async (transaction) => {
          const row = await transaction
            .selectFrom('checkouts')
            .selectAll()
            .where('id', '=', id)
            .executeTakeFirst()
          if (row === undefined) return false
          const { flags } = fromRow(row)
          if (flags.includes(flag)) return false
          await transaction
            .updateTable('checkouts')
            .set({ flags: JSON.stringify([...flags, flag]), updated_at: now().toISOString() })
            .where('id', '=', id)
            .execute()
          return true
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

    ...checkoutLookups(db, step),
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
      if (limit !== undefined && (await countSales(transaction, sku, limit + 1)) > limit) oversold.push(sku)
    }
    const flags: CheckoutFlag[] = []
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

function opened(session: OpenedSession): Updateable<CheckoutsTable> {
  return {
    state: 'open',
    failure: null,
    session_id: session.sessionId ?? null,
    payment_intent_id: session.paymentIntentId ?? null,
    checkout_url: session.checkoutUrl ?? null,
    expires_at: session.expiresAt,
  }
}
