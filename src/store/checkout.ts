import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/**
 * One line of a sale as it was sold, whatever the catalog says today. `amount` is cents for one unit; null in a
 * restored sale of several products whose single prices are not known any more.
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

/** What a person has to look at: sold past the limit, paid with another amount than asked, paid in two sessions. */
export const CHECKOUT_FLAGS = ['oversold', 'amount-mismatch', 'paid-twice'] as const
export type CheckoutFlag = (typeof CHECKOUT_FLAGS)[number]

/** One click and what became of it. Amounts are cents, times ISO 8601 in UTC. */
export const CheckoutSchema = Type.Object({
  id: Type.String(),
  state: Type.Enum(CHECKOUT_STATES),
  items: Type.Array(SoldItemSchema),
  amountTotal: Type.Integer(),
  currency: Type.String(),
  /** The buy link's path and query that leads to the same cart again. */
  link: Type.String(),
  /** Which signed link it came through. */
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
  /** Restored, and perhaps announced by the store before: its announcement is held back. */
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

const checkoutValidator = Compile(CheckoutSchema)

/** Reads a row back. @throws Error where the row is not a checkout, which only a foreign hand in the store can cause. */
export function parseCheckout(row: unknown): Checkout {
  return checkoutValidator.Parse(row)
}
