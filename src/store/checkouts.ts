import { type Kysely, sql } from 'kysely'
import {
  type Checkout,
  type CheckoutFlag,
  type Click,
  clickValues,
  type NewRow,
  type OpenedSession,
  openedRow,
  type PurchaseKey,
} from './checkout.ts'
import { type CheckoutTables, checkoutLookups, reusableCheckout } from './checkout-lookups.ts'
import {
  insertCheckout,
  moveCheckout,
  PROOF,
  type RecordOutcome,
  type RowOutcome,
  replaceUnlessEnded,
  unlessKnown,
} from './checkout-writes.ts'
import type { Announcement } from './outbox.ts'
import { contains, prepared } from './rows.ts'
import { boughtAs } from './saved-carts.ts'
import { unsettledCheckouts } from './unsettled-checkouts.ts'

/** What is written in the same transaction as a completion. */
export interface Completion {
  /** What Dots says of the paid session; undefined where it did not say. `amountPaid` in cents. */
  payment: { sessionId?: string; paymentIntentId?: string; customerEmail?: string; amountPaid?: number }
  /** ISO 8601. */
  completedAt: string
  /** The paid amount is not the one asked: a person has to look at it. */
  amountMismatch: boolean
  announcement: Pick<Announcement, 'id' | 'body'> & { type: string; state: 'pending' | 'held' | 'none' }
  /** For each sku with a limit, how many completed sales it may have. */
  salesLimits: ReadonlyMap<string, number>
}

/** `oversold`: the skus that this completion took past their limit. `overusedLink`: the signed link that it did. */
type CompletionOutcome =
  | { outcome: 'recorded'; oversold: readonly string[]; overusedLink: string | undefined }
  | { outcome: 'superseded' | 'unknown-checkout' }

const sold = prepared((db: Kysely<CheckoutTables>, sku: string, checkout_id: string, quantity: number) =>
  db
    .insertInto('sales')
    .values({ sku, checkout_id, quantity })
    .onConflict((conflict) => conflict.columns(['sku', 'checkout_id']).doNothing()),
)
const boughtCart = prepared((db: Kysely<CheckoutTables>, browserId: string, bought: string) =>
  db.deleteFrom('saved_carts').where('browser_id', '=', browserId).where('bought_as', '=', bought),
)

/** The checkouts. Each transition is one conditional update, so of two callers at the same time only one makes it. */
export function checkoutQueries(db: Kysely<CheckoutTables>, now: () => Date) {
  const insert = (record: NewRow, outcome: RowOutcome, statement: typeof unlessKnown) =>
    insertCheckout(db, record.id, clickValues(record), outcome, statement, now())

  return {
    ...checkoutLookups(db),
    ...unsettledCheckouts(db, now),

    /** {@link reusableCheckout} */
    findReusable: (purchase: PurchaseKey): Promise<Checkout | undefined> =>
      reusableCheckout(db, purchase, now()),

    /**
     * Writes the row of a click, with the session that its buyer is sent to: the one write of a click. A row that a backfill
     * has restored in the meantime is replaced, unless it has ended: only the click knows which session the buyer sees.
     * `createdAt` is ISO 8601.
     */
    recordOpened: (checkout: Click, session: OpenedSession, createdAt: string): Promise<boolean> =>
      insert({ ...checkout, createdAt }, openedRow(session, now()), replaceUnlessEnded),

    /**
     * Writes the row of a click that got no session: `failed`, or `unknown` where Dots may have created one all the same, so
     * that the sweep looks for it. What a backfill has restored in the meantime stays. `reason` is an error code,
     * `createdAt` ISO 8601.
     */
    recordUnopened: (
      checkout: Click,
      { state, reason }: { state: 'failed' | 'unknown'; reason: string },
      createdAt: string,
    ): Promise<boolean> => insert({ ...checkout, createdAt }, { state, failure: reason }, unlessKnown),

    /**
     * Writes a checkout that the database has lost, as `creating` at `createdAt` (ISO 8601); false where it exists.
     * `isHeld`: it may have been announced before, so its announcement is to be held.
     */
    recordRestored: (checkout: Click, createdAt: string, isHeld = false): Promise<boolean> =>
      insert({ ...checkout, createdAt, isHeld }, { state: 'creating' }, unlessKnown),

    /** Writes a row as a click does and removes it. Throws where the database cannot take it. */
    async proveWrite(): Promise<void> {
      const at = now().toISOString()
      await insert(
        { ...PROOF, createdAt: at },
        openedRow({ sessionId: PROOF.id, expiresAt: at }, now()),
        unlessKnown,
      )
      await db.deleteFrom('checkouts').where('id', '=', PROOF.id).execute()
    },

    /** `creating | unknown | failed → open` with the session that was found; an open row without a session id gets it, too. */
    async recordFound(id: string, session: OpenedSession): Promise<RecordOutcome> {
      const change = openedRow(session, now())
      const outcome = await moveCheckout(db, id, ['creating', 'unknown', 'failed'], change, now())
      return outcome === 'superseded'
        ? moveCheckout(db, id, ['open'], change, now(), { withoutSession: true })
        : outcome
    },

    /** `creating | open | unknown → expired`. */
    recordExpiry: (id: string) =>
      moveCheckout(db, id, ['creating', 'open', 'unknown'], { state: 'expired' }, now()),

    /**
     * Anything but `complete` becomes `complete`, once, with its sales counted and its announcement in the outbox, in
     * one transaction: only for the first caller the outcome is `recorded`.
     */
    recordCompletion: (id: string, completion: Completion) =>
      db.transaction().execute((transaction) => complete(transaction, id, completion)),

    /** Adds a flag; false if the checkout has it already or is unknown. One statement: of two callers one adds it. */
    async recordFlag(id: string, flag: CheckoutFlag): Promise<boolean> {
      const text = JSON.stringify(flag)
      const flags = sql<string>`case flags when '[]' then ${`[${text}]`} else replace(flags, ']', ${`,${text}]`}) end`
      const { numUpdatedRows } = await db
        .updateTable('checkouts')
        .set({ flags, updated_at: now().toISOString() })
        .where('id', '=', id)
        .where(sql<boolean>`not ${contains('flags', text)}`)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
  }

  async function complete(
    on: Kysely<CheckoutTables>,
    id: string,
    { payment, completedAt, amountMismatch, announcement, salesLimits }: Completion,
  ): Promise<CompletionOutcome> {
    const outcome = await moveCheckout(
      on,
      id,
      ['creating', 'open', 'unknown', 'failed', 'expired'],
      {
        state: 'complete',
        failure: null,
        completed_at: completedAt,
        // Undefined leaves a column unchanged: an earlier answer of Dots may have had the value.
        session_id: payment.sessionId,
        payment_intent_id: payment.paymentIntentId,
        customer_email: payment.customerEmail,
        amount_paid: payment.amountPaid,
      },
      now(),
    )
    if (outcome !== 'recorded') return { outcome }
    const { find, countSales } = checkoutLookups(on)
    const checkout = await find(id)
    const oversold: string[] = []
    for (const { sku, quantity } of checkout?.items ?? []) {
      await sold(on, sku, id, quantity)
      const limit = salesLimits.get(sku)
      if (limit !== undefined && (await countSales(sku, limit + 1)) > limit) oversold.push(sku)
    }
    await removeBoughtCart(on, checkout)
    const overusedLink = await overused(on, checkout?.linkId)
    const flags: CheckoutFlag[] = []
    if (oversold.length > 0) flags.push('oversold')
    if (overusedLink !== undefined) flags.push('overused')
    if (amountMismatch) flags.push('amount-mismatch')
    if (flags.length > 0) {
      await on
        .updateTable('checkouts')
        .set({ flags: JSON.stringify(flags) })
        .where('id', '=', id)
        .execute()
    }
    await on
      .insertInto('announcements')
      .values({
        ...announcement,
        checkout_id: id,
        attempts: 0,
        next_attempt_at: completedAt,
        created_at: completedAt,
      })
      .execute()
    return { outcome, oversold, overusedLink }
  }

  async function removeBoughtCart(on: Kysely<CheckoutTables>, checkout?: Checkout): Promise<void> {
    if (checkout === undefined || checkout.browserId === null) return
    await boughtCart(on, checkout.browserId, boughtAs(checkout.items))
  }

  /** The signed link, if it has more sales than it allows. A restored row does not say how many; another of its rows may. */
  async function overused(
    on: Kysely<CheckoutTables>,
    linkId: string | null = null,
  ): Promise<string | undefined> {
    if (linkId === null) return undefined
    const row = await on
      .selectFrom('checkouts')
      .select('link_uses')
      .where('link_id', '=', linkId)
      .where('link_uses', 'is not', null)
      .orderBy('link_uses', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (row?.link_uses == null) return undefined
    return (await checkoutLookups(on).countLinkSales(linkId)) > row.link_uses ? linkId : undefined
  }
}
