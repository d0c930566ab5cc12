import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/**
 * One line of a sale as it was sold, whatever the catalog says today. `amount` is cents for one unit; null in a
 * restored sale of several products whose single prices are no longer known.
 */
export const SoldItemSchema = Type.Object({
  sku: Type.String(),
  name: Type.String(),
  quantity: Type.Integer({ minimum: 1 }),
  amount: Nullable(Type.Integer({ minimum: 1 })),
})
export type SoldItem = Static<typeof SoldItemSchema>

export const CHECKOUT_STATES = ['creating', 'open', 'complete', 'expired', 'failed', 'unknown'] as const
export type CheckoutState = (typeof CHECKOUT_STATES)[number]

/** What a person has to look at: sold past the limit, another amount paid than asked, paid in two sessions. */
export const CHECKOUT_FLAGS = ['oversold', 'amount-mismatch', 'paid-twice'] as const
export type CheckoutFlag = (typeof CHECKOUT_FLAGS)[number]

/** One click and what became of it. Amounts are cents, times ISO 8601 in UTC. */
export const CheckoutSchema = Type.Object({
  id: Type.String(),
  state: Type.Enum(CHECKOUT_STATES),
  items: Type.Array(SoldItemSchema),
  amountTotal: Type.Integer(),
  currency: Type.String(),
  /** Path and query of the buy link that leads to the same cart again. */
  link: Type.String(),
  /** The signed link it came through. */
  linkId: Nullable(Type.String()),
  clientReferenceId: Nullable(Type.String()),
  customerEmail: Nullable(Type.String()),
  metadata: Type.Record(Type.String(), Type.String()),
  sessionId: Nullable(Type.String()),
  paymentIntentId: Nullable(Type.String()),
  checkoutUrl: Nullable(Type.String()),
  expiresAt: Nullable(Type.String()),
  amountPaid: Nullable(Type.Integer()),
  failure: Nullable(Type.String()),
  /** Restored, and possibly announced before from a lost database: its announcement is held. */
  isHeld: Type.Boolean(),
  flags: Type.Array(Type.Enum(CHECKOUT_FLAGS)),
  createdAt: Type.String(),
  updatedAt: Type.String(),
  completedAt: Nullable(Type.String()),
})
export type Checkout = Static<typeof CheckoutSchema>

/** What is known of a click before Dots is called. */
export type NewCheckout = Pick<
  Checkout,
  | 'id'
  | 'items'
  | 'amountTotal'
  | 'currency'
  | 'link'
  | 'linkId'
  | 'clientReferenceId'
  | 'customerEmail'
  | 'metadata'
>

/** One browser and one purchase: cart, prices and buyer, as a hash. */
export interface PurchaseKey {
  browserId: string
  purchaseHash: string
}

/** The session that Dots opened for a checkout. `expiresAt` is ISO 8601. */
export interface OpenedSession {
  sessionId?: string
  paymentIntentId?: string
  checkoutUrl?: string
  expiresAt: string
}

export type CheckoutsTable = {
  id: string
  state: string
  /** JSON, as are `metadata` and `flags`. */
  items: string
  amount_total: number
  currency: string
  link: string
  link_id: string | null
  browser_id: string | null
  purchase_hash: string | null
  client_reference_id: string | null
  customer_email: string | null
  metadata: string
  session_id: string | null
  payment_intent_id: string | null
  checkout_url: string | null
  expires_at: string | null
  /** Until then, a buyer who is sent back to the open session has time to pay. */
  reusable_until: string | null
  amount_paid: number | null
  failure: string | null
  flags: string
  held: number
  last_checked_at: string | null
  created_at: string
  updated_at: string
  completed_at: string | null
}

const checkoutValidator = Compile(CheckoutSchema)

/** @throws Error where the row is not a checkout, which only another program writing to the database can cause. */
export function fromRow(row: CheckoutsTable): Checkout {
  return checkoutValidator.Parse({
    id: row.id,
    state: row.state,
    items: JSON.parse(row.items),
    // PostgreSQL returns a bigint as text; cents stay far below what a number holds exactly.
    amountTotal: Number(row.amount_total),
    currency: row.currency,
    link: row.link,
    linkId: row.link_id,
    clientReferenceId: row.client_reference_id,
    customerEmail: row.customer_email,
    metadata: JSON.parse(row.metadata),
    sessionId: row.session_id,
    paymentIntentId: row.payment_intent_id,
    checkoutUrl: row.checkout_url,
    expiresAt: row.expires_at,
    amountPaid: row.amount_paid === null ? null : Number(row.amount_paid),
    failure: row.failure,
    isHeld: row.held !== 0,
    flags: JSON.parse(row.flags),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    completedAt: row.completed_at,
  })
}

/** The row of a checkout that has no session yet; times in ISO 8601. */
export function newRow(
  checkout: NewCheckout,
  {
    createdAt,
    now,
    key,
    isHeld = false,
  }: { createdAt: string; now: Date; key?: PurchaseKey; isHeld?: boolean },
) {
  return {
    id: checkout.id,
    state: 'creating',
    items: JSON.stringify(checkout.items),
    amount_total: checkout.amountTotal,
    currency: checkout.currency,
    link: checkout.link,
    link_id: checkout.linkId,
    browser_id: key?.browserId ?? null,
    purchase_hash: key?.purchaseHash ?? null,
    client_reference_id: checkout.clientReferenceId,
    customer_email: checkout.customerEmail,
    metadata: JSON.stringify(checkout.metadata),
    flags: '[]',
    held: isHeld ? 1 : 0,
    created_at: createdAt,
    updated_at: now.toISOString(),
  }
}

/** A buyer who is sent back to a session with less time left has to look for the card in a hurry. */
const MIN_TIME_TO_PAY_MS = 60_000
/** A session with a short life can be reused for this share of it at least. */
const MIN_REUSABLE_SHARE = 0.5

/** The columns of a session that was recorded at `now`, from which on its life is counted. */
export function openedRow(session: OpenedSession, now: Date) {
  const end = Date.parse(session.expiresAt)
  const life = Math.max(end - now.getTime(), 0)
  return {
    state: 'open',
    failure: null,
    session_id: session.sessionId ?? null,
    payment_intent_id: session.paymentIntentId ?? null,
    checkout_url: session.checkoutUrl ?? null,
    expires_at: session.expiresAt,
    reusable_until: new Date(end - Math.min(MIN_TIME_TO_PAY_MS, life * MIN_REUSABLE_SHARE)).toISOString(),
  }
}
