import type { Checkout, NewCheckout } from './checkout.ts'

/** What is known of the session that Dots opened for a checkout. Times are ISO 8601. */
export interface OpenedSession {
  sessionId: string | undefined
  paymentIntentId: string | undefined
  checkoutUrl: string
  expiresAt: string
}

/** What Dots says of a paid session. `amountPaid` in cents; undefined where Dots did not say. */
export interface CompletionFacts {
  sessionId: string | undefined
  paymentIntentId: string | undefined
  customerEmail: string | undefined
  amountPaid: number | undefined
}

/** `superseded`: the checkout has already got further (complete is final), so nothing was changed. */
export type RecordOutcome = 'recorded' | 'superseded' | 'unknown-checkout'

/**
 * The checkouts of the shop, in the shop's words. Every method is one atomic step; all of them throw
 * {@link StoreError} when the store cannot be reached or written, and nothing else.
 */
export interface CheckoutStore {
  /** Writes the row of a click in state `creating`, before Dots is called. */
  recordCreating(checkout: NewCheckout): Promise<void>
  /** `creating → open`. */
  recordOpen(id: string, session: OpenedSession): Promise<RecordOutcome>
  /** `creating → failed`: no session exists. `reason` is an error code, for the desk. */
  recordFailed(id: string, reason: string): Promise<RecordOutcome>
  /** `creating → unknown`: a session may exist at Dots, the sweep will find out. */
  recordUnknown(id: string, reason: string): Promise<RecordOutcome>
  /** Anything but `complete` becomes `complete`, once: only the first caller is told `recorded`. */
  recordCompletion(id: string, facts: CompletionFacts): Promise<RecordOutcome>
  /** `creating | open | unknown → expired`. */
  recordExpiry(id: string): Promise<RecordOutcome>
  find(id: string): Promise<Checkout | undefined>
}

/** An open store. */
export interface Store {
  readonly checkouts: CheckoutStore
  /** Resolves when the store can be read and written. @throws StoreError */
  ping(): Promise<void>
  close(): Promise<void>
}

/** The store could not do what was asked: locked, full, gone. `code` is the database's own. */
export class StoreError extends Error {
  readonly code: string

  constructor(code: string, cause: unknown) {
    super(`The store failed (${code})`, { cause })
    this.name = 'StoreError'
    this.code = code
  }
}
