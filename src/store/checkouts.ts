import { type Kysely, type RawBuilder, sql, type Updateable } from 'kysely'
import {
  type Checkout,
  type CheckoutFlag,
  type CheckoutState,
  type CheckoutsTable,
  type NewCheckout,
  type OpenedSession,
  openedRow,
  type PurchaseKey,
  readCheckout,
} from './checkout.ts'
import { type CheckoutTables, checkoutLookups } from './checkout-lookups.ts'
import type { Announcement } from './outbox.ts'
import { toRow } from './rows.ts'

/** What is written in the same transaction as a completion. */
export interface Completion {
  /** What Dots says of the paid session; undefined where it did not say. `amountPaid` in cents. */
  payment: { sessionId?: string; paymentIntentId?: string; customerEmail?: string; amountPaid?: number }
  /** ISO 8601. */
  completedAt: string
  /** The paid amount is not the one asked: a person has to look at it. */
  amountMismatch: boolean
  announcement: (Pick<Announcement, 'id' | 'body'> & { type: string; state: 'pending' | 'held' }) | undefined
  /** For each sku with a limit, how many completed sales it may have. */
  salesLimits: ReadonlyMap<string, number>
}

/** `superseded`: the checkout is in a state that does not allow this change (complete is final); nothing was changed. */
export type RecordOutcome = 'recorded' | 'superseded' | 'unknown-checkout'

/** `oversold`: the skus that this completion took past their limit. */
type CompletionOutcome =
  | { outcome: 'recorded'; oversold: readonly string[] }
  | { outcome: 'superseded' | 'unknown-checkout' }

/** Longer than a click takes; a row that is still `creating` after that was left by a process that died. */
const CREATING_TIMEOUT_MS = 10_000

/** The checkouts. Each transition is one conditional update, so of two callers at the same time only one makes it. */
export function checkoutQueries(db: Kysely<CheckoutTables>, now: () => Date) {
  return {
    ...checkoutLookups(db),

    /**
     * Writes the row of a click in state `creating`, before Dots is called. Where the browser has a live checkout for
     * the same purchase (open with time left to pay, or just being created), nothing is written and that one is
     * returned. Two clicks at the same moment write one row. Without a key the row is always written.
     */
    async reserve(checkout: NewCheckout, key?: PurchaseKey): Promise<Checkout | undefined> {
      if (key === undefined) {
        await insert(checkout, {}, sql`where true`)
        return undefined
      }
      const at = now()
      const creatingSince = new Date(at.getTime() - CREATING_TIMEOUT_MS)
      const live = db
        .selectFrom('checkouts')
        .where('browser_id', '=', key.browserId)
        .where('purchase_hash', '=', key.purchaseHash)
        .where(
          sql<boolean>`(state = 'open' and reusable_until > ${at.toISOString()}
            or state = 'creating' and created_at > ${creatingSince.toISOString()})`,
        )
      for (;;) {
        if (await insert(checkout, key, sql`where not exists ${live.select('id')}`)) return undefined
        const found = await live.selectAll().orderBy('created_at', 'desc').limit(1).executeTakeFirst()
        // Paid or ended between the two statements: nothing is live any more.
        if (found !== undefined) return readCheckout(found)
      }
    },

    /**
     * Writes a checkout that the database has lost, as `creating` at `createdAt` (ISO 8601); false where it exists.
     * `isHeld`: it may have been announced before, so its announcement is to be held.
     */
    recordRestored: (checkout: NewCheckout, createdAt: string, isHeld = false): Promise<boolean> =>
      insert(checkout, { createdAt, isHeld }, sql`where true on conflict (id) do nothing`),

    /**
     * Anything but `complete` and `expired` becomes `open` with the session that the buyer was sent to. A session that
     * a backfill has recorded in the meantime is overwritten: only the click knows which one the buyer sees.
     */
    recordOpen: (id: string, session: OpenedSession) =>
      move(db, id, ['creating', 'open', 'unknown', 'failed'], openedRow(session, now())),

    /** `creating | unknown | failed → open` with the session that was found; an open row without a session id gets it, too. */
    async recordFound(id: string, session: OpenedSession): Promise<RecordOutcome> {
      const change = openedRow(session, now())
      const outcome = await move(db, id, ['creating', 'unknown', 'failed'], change)
      return outcome === 'superseded' ? move(db, id, ['open'], change, { withoutSession: true }) : outcome
    },

    /** `creating | unknown → failed`: no session exists. `reason` is an error code. */
    recordFailed: (id: string, reason: string) =>
      move(db, id, ['creating', 'unknown'], { state: 'failed', failure: reason }),

    /** `creating → unknown`: a session may exist at Dots, the sweep will find out. `reason` is an error code. */
    recordUnknown: (id: string, reason: string) =>
      move(db, id, ['creating'], { state: 'unknown', failure: reason }),

    /** `creating | open | unknown → expired`. */
    recordExpiry: (id: string) => move(db, id, ['creating', 'open', 'unknown'], { state: 'expired' }),

    /**
     * Anything but `complete` becomes `complete`, once, with its sales counted and its announcement in the outbox, in
     * one transaction: only for the first caller the outcome is `recorded`.
     */
    recordCompletion: (id: string, completion: Completion) =>
      db.transaction().execute((transaction) => complete(transaction, id, completion)),

    /** Adds a flag; false if the checkout has it already or is unknown. */
    recordFlag: (id: string, flag: CheckoutFlag): Promise<boolean> =>
      db.transaction().execute(async (transaction) => {
        const checkout = await checkoutLookups(transaction).find(id)
        if (checkout === undefined || checkout.flags.includes(flag)) return false
        await setFlags(transaction, id, [...checkout.flags, flag])
        return true
      }),

    /** Records that Dots was just asked about the checkout, which stays as it is. */
    markChecked: (id: string) =>
      db
        .updateTable('checkouts')
        .set({ last_checked_at: now().toISOString() })
        .where('id', '=', id)
        .execute(),
  }

  /** Writes a checkout under a condition, as SQL after its values; false where it was not written. */
  async function insert(
    checkout: NewCheckout,
    more: Partial<PurchaseKey & Pick<Checkout, 'createdAt' | 'isHeld'>>,
    condition: RawBuilder<unknown>,
  ): Promise<boolean> {
    const at = now().toISOString()
    const row = toRow({ ...checkout, state: 'creating', createdAt: at, updatedAt: at, ...more })
    const columns = sql.raw(row.map(([column]) => column).join())
    const values = sql.join(row.map(([, value]) => value))
    const { rows } = await sql`
      insert into checkouts (${columns}) select ${values} ${condition} returning id`.execute(db)
    return rows.length > 0
  }

  async function move(
    on: Kysely<CheckoutTables>,
    id: string,
    from: readonly CheckoutState[],
    change: Updateable<CheckoutsTable>,
    { withoutSession = false } = {},
  ): Promise<RecordOutcome> {
    const { numUpdatedRows } = await on
      .updateTable('checkouts')
      .set({ ...change, updated_at: now().toISOString() })
      .where('id', '=', id)
      .where('state', 'in', from)
      .$if(withoutSession, (update) => update.where('session_id', 'is', null))
      .executeTakeFirst()
    if (numUpdatedRows > 0n) return 'recorded'
    const row = await on.selectFrom('checkouts').select('id').where('id', '=', id).executeTakeFirst()
    return row === undefined ? 'unknown-checkout' : 'superseded'
  }

  async function setFlags(on: Kysely<CheckoutTables>, id: string, flags: CheckoutFlag[]): Promise<void> {
    const change = { flags: JSON.stringify(flags), updated_at: now().toISOString() }
    await on.updateTable('checkouts').set(change).where('id', '=', id).execute()
  }

  async function complete(
    on: Kysely<CheckoutTables>,
    id: string,
    { payment, completedAt, amountMismatch, announcement, salesLimits }: Completion,
  ): Promise<CompletionOutcome> {
    const outcome = await move(on, id, ['creating', 'open', 'unknown', 'failed', 'expired'], {
      state: 'complete',
      failure: null,
      completed_at: completedAt,
      // Undefined leaves a column unchanged: an earlier answer of Dots may have had the value.
      session_id: payment.sessionId,
      payment_intent_id: payment.paymentIntentId,
      customer_email: payment.customerEmail,
      amount_paid: payment.amountPaid,
    })
    if (outcome !== 'recorded') return { outcome }
    const { find, countSales } = checkoutLookups(on)
    const oversold: string[] = []
    for (const { sku, quantity } of (await find(id))?.items ?? []) {
      await on
        .insertInto('sales')
        .values({ sku, checkout_id: id, quantity })
        .onConflict((conflict) => conflict.columns(['sku', 'checkout_id']).doNothing())
        .execute()
      const limit = salesLimits.get(sku)
      if (limit !== undefined && (await countSales(sku, limit + 1)) > limit) oversold.push(sku)
    }
    const flags: CheckoutFlag[] = []
    if (oversold.length > 0) flags.push('oversold')
    if (amountMismatch) flags.push('amount-mismatch')
    if (flags.length > 0) await setFlags(on, id, flags)
    if (announcement !== undefined) {
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
    }
    return { outcome, oversold }
  }
}
