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
import { contains, toRow } from './rows.ts'
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

/** `superseded`: the checkout is in a state that does not allow this change (complete is final); nothing was changed. */
export type RecordOutcome = 'recorded' | 'superseded' | 'unknown-checkout'

/** `oversold`: the skus that this completion took past their limit. `overusedLink`: the signed link that it did. */
type CompletionOutcome =
  | { outcome: 'recorded'; oversold: readonly string[]; overusedLink: string | undefined }
  | { outcome: 'superseded' | 'unknown-checkout' }

/** A second click later than this after the first one is a new purchase. */
const REUSABLE_MS = 15 * 60_000
/** More than the clocks of two processes differ: a row from further ahead was written under a wrong clock. */
const MAX_AHEAD_MS = 60_000
/** Longer than a click takes; a row that is still `creating` after that was left by a process that died. */
export const CREATING_TIMEOUT_MS = 10_000

/** The checkouts. Each transition is one conditional update, so of two callers at the same time only one makes it. */
export function checkoutQueries(db: Kysely<CheckoutTables>, now: () => Date) {
  return {
    ...checkoutLookups(db),
    ...unsettledCheckouts(db, now),

    /**
     * Writes the row of a click in state `creating`, before Dots is called. Where the browser has a live checkout for
     * the same purchase (of the last 15 minutes, and open with time left to pay, or just being created), nothing is
     * written and that one is returned. Two clicks at the same moment write one row. Without a key the row is always written.
     */
    async reserve(checkout: NewCheckout, key?: PurchaseKey): Promise<Checkout | undefined> {
      if (key === undefined) {
        await insert(checkout, {}, sql`where true`)
        return undefined
      }
      const at = now()
      const ago = (ms: number) => new Date(at.getTime() - ms).toISOString()
      const live = db
        .selectFrom('checkouts')
        .where('browser_id', '=', key.browserId)
        .where('purchase_hash', '=', key.purchaseHash)
        .where('created_at', '>', ago(REUSABLE_MS))
        .where('created_at', '<', ago(-MAX_AHEAD_MS))
        .where(
          sql<boolean>`(state = 'open' and reusable_until > ${at.toISOString()}
            or state = 'creating' and created_at > ${ago(CREATING_TIMEOUT_MS)})`,
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
    recordRestored: (
      checkout: NewCheckout & Partial<PurchaseKey>,
      createdAt: string,
      isHeld = false,
    ): Promise<boolean> =>
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
    const checkout = await find(id)
    const oversold: string[] = []
    for (const { sku, quantity } of checkout?.items ?? []) {
      await on
        .insertInto('sales')
        .values({ sku, checkout_id: id, quantity })
        .onConflict((conflict) => conflict.columns(['sku', 'checkout_id']).doNothing())
        .execute()
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
    await on
      .deleteFrom('saved_carts')
      .where('browser_id', '=', checkout.browserId)
      .where('bought_as', '=', boughtAs(checkout.items))
      .execute()
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
