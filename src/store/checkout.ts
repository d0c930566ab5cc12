import Type, { type Static } from 'typebox'
import { type Row, rowReader } from './rows.ts'

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/**
 * One line of a sale as it was sold, whatever the catalog says today. `amount` is cents for one unit; null in a
 * restored sale of several products whose single prices are no longer known.
 */
const SoldItemSchema = Type.Object({
  sku: Type.String(),
  name: Type.String(),
  quantity: Type.Integer({ minimum: 1 }),
  amount: Nullable(Type.Integer({ minimum: 1 })),
})
export type SoldItem = Static<typeof SoldItemSchema>

export const CHECKOUT_STATES = ['creating', 'open', 'complete', 'expired', 'failed', 'unknown'] as const
export type CheckoutState = (typeof CHECKOUT_STATES)[number]

/** What is known of a click before Dots is called. Amounts are cents. */
const NewCheckoutSchema = Type.Object({
  id: Type.String(),
  items: Type.Array(SoldItemSchema),
  amountTotal: Type.Integer(),
  currency: Type.String(),
  /** Path and query of the buy link as it came; in older and restored rows the plain link to the same cart. */
  link: Type.String(),
  /** The signed link it came through. */
  linkId: Nullable(Type.String()),
  /** How many sales that link allows; null where it does not say, and in a restored checkout. */
  linkUses: Nullable(Type.Integer({ minimum: 1 })),
  clientReferenceId: Nullable(Type.String()),
  customerEmail: Nullable(Type.String()),
  metadata: Type.Record(Type.String(), Type.String()),
})
export type NewCheckout = Static<typeof NewCheckoutSchema>

/** One click and its outcome. Amounts are cents, times ISO 8601 in UTC. */
const CheckoutSchema = Type.Object({
  ...NewCheckoutSchema.properties,
  /** Of the browser that clicked; null in a restored row. */
  browserId: Nullable(Type.String()),
  state: Type.Enum(CHECKOUT_STATES),
  sessionId: Nullable(Type.String()),
  paymentIntentId: Nullable(Type.String()),
  checkoutUrl: Nullable(Type.String()),
  expiresAt: Nullable(Type.String()),
  amountPaid: Nullable(Type.Integer()),
  failure: Nullable(Type.String()),
  /** Restored, and possibly announced before from a lost database: its announcement is held. */
  isHeld: Type.Boolean(),
  /**
   * What a person has to look at: sold past the product's limit, or past the uses of the signed link; another amount paid
   * than asked; paid in two sessions.
   */
  flags: Type.Array(Type.Enum(['oversold', 'overused', 'amount-mismatch', 'paid-twice'])),
  createdAt: Type.String(),
  updatedAt: Type.String(),
  completedAt: Nullable(Type.String()),
})
export type Checkout = Static<typeof CheckoutSchema>
export type CheckoutFlag = Checkout['flags'][number]

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

export type CheckoutsTable = Row<Checkout> & {
  purchase_hash: string | null
  /** Until then a buyer may be sent back to the open session, with enough time left to pay. */
  reusable_until: string | null
  last_checked_at: string | null
  /** Failed checks of the sweep in a row. */
  check_failures: number
}

/** What is known of a click, and of which browser and purchase it is. */
export type Click = NewCheckout & Partial<PurchaseKey>

/** A checkout to be written. `createdAt`: ISO 8601. */
export type NewRow = Click & Pick<Checkout, 'createdAt'> & Partial<Pick<Checkout, 'isHeld'>>

/** The columns of a click that are known before its session, always the same in the same order. */
export function clickRow(checkout: Omit<NewRow, 'id'>) {
  return {
    items: JSON.stringify(checkout.items),
    amount_total: checkout.amountTotal,
    currency: checkout.currency,
    link: checkout.link,
    link_id: checkout.linkId,
    link_uses: checkout.linkUses,
    client_reference_id: checkout.clientReferenceId,
    customer_email: checkout.customerEmail,
    metadata: JSON.stringify(checkout.metadata),
    browser_id: checkout.browserId ?? null,
    purchase_hash: checkout.purchaseHash ?? null,
    created_at: checkout.createdAt,
    is_held: Number(checkout.isHeld ?? false),
  } satisfies Partial<CheckoutsTable>
}

/** Made by {@link clickValues}, and by nothing else. */
export type ClickValues = readonly (string | number | null)[]

/**
 * The values of {@link clickRow}, in its order. As a flat list they reach the database's thread in less than half of the time
 * that nested objects take.
 */
export function clickValues(checkout: Omit<NewRow, 'id'>): ClickValues {
  return Object.values(clickRow(checkout))
}

export const readCheckout = rowReader(CheckoutSchema)

/** The skus and quantities, for log lines: `tee:2,mug:1`. */
export function itemsOf({ items }: Pick<Checkout, 'items'>): string {
  return items.map(({ sku, quantity }) => `${sku}:${quantity}`).join()
}

/** A buyer who is sent back to a session needs at least this much time to pay. */
const MIN_TIME_TO_PAY_MS = 60_000
/** A short session can be reused for at least this share of its lifetime. */
const MIN_REUSABLE_SHARE = 0.5

/** The columns of a session that is recorded at `now`. Its lifetime counts from `now`. */
export function openedRow(session: OpenedSession, now: Date) {
  const end = Date.parse(session.expiresAt)
  const life = Math.max(end - now.getTime(), 0)
  return {
    state: 'open' as const,
    failure: null,
    session_id: session.sessionId ?? null,
    payment_intent_id: session.paymentIntentId ?? null,
    checkout_url: session.checkoutUrl ?? null,
    expires_at: session.expiresAt,
    reusable_until: new Date(end - Math.min(MIN_TIME_TO_PAY_MS, life * MIN_REUSABLE_SHARE)).toISOString(),
  }
}
