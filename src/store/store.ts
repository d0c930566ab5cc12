import type { Announcement, NewAnnouncement } from './announcement.ts'
import type { Checkout, CheckoutFlag, CheckoutState, NewCheckout } from './checkout.ts'

/** What is known of the session that Dots opened for a checkout. Times are ISO 8601. */
export interface OpenedSession {
  sessionId: string | undefined
  paymentIntentId: string | undefined
  checkoutUrl: string | undefined
  expiresAt: string
}

/** What Dots says of a paid session. `amountPaid` in cents; undefined where Dots did not say. */
export interface CompletionFacts {
  sessionId: string | undefined
  paymentIntentId: string | undefined
  customerEmail: string | undefined
  amountPaid: number | undefined
}

/** What goes into the store in the same step as a completion. */
export interface Completion {
  facts: CompletionFacts
  /** ISO 8601. */
  completedAt: string
  /** The paid amount is not the one asked: a person has to look, so nothing is announced. */
  amountMismatch: boolean
  announcement: NewAnnouncement | undefined
  /** For each sku with a limit, how many completed sales it has at the most. */
  salesLimits: ReadonlyMap<string, number>
}

/** `superseded`: the checkout has already got further (complete is final), so nothing was changed. */
export type RecordOutcome = 'recorded' | 'superseded' | 'unknown-checkout'

/** `oversold`: the skus that this completion took past their limit. */
export type CompletionOutcome =
  | { outcome: 'recorded'; oversold: readonly string[] }
  | { outcome: 'superseded' | 'unknown-checkout' }

/** One browser and one purchase: the cart, its prices and whom it is for, as a hash. */
export interface Visit {
  browser: string
  fingerprint: string
}

export interface CheckoutFilter {
  state?: CheckoutState | undefined
  /** Those with an announcement that was given up, or with a flag. */
  failed?: boolean | undefined
  /** ISO 8601; made at this time or later. */
  since?: string | undefined
  /** Made before this time, ISO 8601. */
  until?: string | undefined
}

/**
 * The checkouts of the shop, in the shop's words. Every method is one atomic step; all of them throw
 * {@link StoreError} when the store cannot be reached or written, and nothing else.
 */
export interface CheckoutStore extends CheckoutLookups {
  /** Writes the row of a click in state `creating`, before Dots is called. */
  recordCreating(checkout: NewCheckout): Promise<void>
  /**
   * The same for a browser that we know: where it has a live checkout for the same purchase (open for a while yet, or
   * just being made), nothing is written and that one is returned. Two clicks at the same moment make one row.
   */
  recordClick(checkout: NewCheckout, visit: Visit): Promise<Checkout | undefined>
  /**
   * Anything but `complete` and `expired` becomes `open` with the session that the buyer was sent to. The click knows
   * that best: where a walk through Dots' list was quicker with another session, it is overwritten.
   */
  recordOpen(id: string, session: OpenedSession): Promise<RecordOutcome>
  /** `creating | unknown | failed → open` with a session that was found; an open one without a session id gets its. */
  recordFound(id: string, session: OpenedSession): Promise<RecordOutcome>
  /** `creating | unknown → failed`: no session exists. `reason` is an error code, for the desk. */
  recordFailed(id: string, reason: string): Promise<RecordOutcome>
  /** `creating → unknown`: a session may exist at Dots, the sweep will find out. */
  recordUnknown(id: string, reason: string): Promise<RecordOutcome>
  /**
   * Anything but `complete` becomes `complete`, once, with its sales counted and its announcement in the outbox:
   * only the first caller is told `recorded`.
   */
  recordCompletion(id: string, completion: Completion): Promise<CompletionOutcome>
  /** `creating | open | unknown → expired`. */
  recordExpiry(id: string): Promise<RecordOutcome>
  /**
   * Writes a checkout that the store has lost, as `creating` at `createdAt`; false where it is there already. `isHeld`:
   * it may have been announced before, so its announcement is to be held back.
   */
  recordRestored(checkout: NewCheckout, createdAt: string, isHeld?: boolean): Promise<boolean>
  /** Marks what a person has to look at; false where it was marked so already. */
  recordFlag(id: string, flag: CheckoutFlag): Promise<boolean>
  /** Notes that Dots was asked and the checkout stays as it is. */
  recordAsked(id: string): Promise<void>
}

/** Questions about checkouts. All of them throw {@link StoreError} when the store cannot be asked. */
export interface CheckoutLookups {
  find(id: string): Promise<Checkout | undefined>
  /** The checkouts that have one of these as their id, session id or payment intent id. */
  findByHints(hints: readonly string[]): Promise<Checkout[]>
  /** `open` ones that ended before `before` and were not asked after since `askedBefore`, the oldest first. */
  overdue(times: { before: string; askedBefore: string }, limit: number): Promise<Checkout[]>
  /** `creating` and `unknown` ones, and open ones without a session id, made before `before`, the oldest first. */
  unfinished(before: string, limit: number): Promise<Checkout[]>
  /** How many completed sales had this sku in them; counted up to `atMost`, so that a long history costs no more. */
  countSales(sku: string, atMost: number): Promise<number>
  /** How many completed sales came through this signed link. */
  countLinkSales(linkId: string): Promise<number>
  /** The newest first, a page at a time: `after` is the last one of the page before. */
  list(filter: CheckoutFilter, limit: number, after?: Checkout): Promise<Checkout[]>
}

/** A webhook event whose hints have not led to an answer of Dots yet. */
export interface PendingEvent {
  id: string
  /** Every text in its body that may be an id. */
  hints: readonly string[]
  attempts: number
  /** ISO 8601. */
  receivedAt: string
}

/** Webhook events, kept by their ids so that a second delivery changes nothing. */
export interface EventStore {
  /** `seen`: an event with this id is here already. */
  recordEvent(id: string, hints: readonly string[]): Promise<'new' | 'seen'>
  /** Takes events that are due, so that no other process takes them before `until` (ISO 8601). */
  claimDue(limit: number, until: string): Promise<PendingEvent[]>
  /** Takes one event if it is due. */
  claim(id: string, until: string): Promise<PendingEvent | undefined>
  recordDone(id: string): Promise<void>
  /** To be looked at again at `at` (ISO 8601). */
  recordRetry(id: string, at: string): Promise<void>
  /** Whether an event that is not done has one of these among its hints. */
  hasPending(hints: readonly string[]): Promise<boolean>
  /** How many that came in after this time (ISO 8601) are not done. */
  countPending(after: string): Promise<number>
  /** Forgets events received before this time (ISO 8601). */
  prune(before: string): Promise<void>
}

/** Which announcement, and how often it was tried with this time. */
export type Attempt = Pick<Announcement, 'id' | 'attempts'>

/** The announcements of paid orders, written with the completion and sent afterwards. */
export interface Outbox {
  /** Takes announcements that are due, so that no other process sends them before `until` (ISO 8601). */
  claimDue(limit: number, until: string): Promise<Announcement[]>
  recordDelivered(id: string): Promise<void>
  /** `retryAt` undefined: given up. Of an attempt that is not the last any more nothing is recorded. */
  recordUndelivered(attempt: Attempt, reason: string, retryAt: string | undefined): Promise<void>
  /** The announcement of a checkout, however it stands. */
  find(checkoutId: string): Promise<Announcement | undefined>
  /** Sends one that is held back; false where there is none. */
  release(checkoutId: string): Promise<boolean>
  /** Sends it once more, from the first attempt on. `unknown`: the checkout has no announcement. */
  resend(checkoutId: string): Promise<'queued' | 'unknown'>
}

/** Turns that one process at a time can have among all that share the store, with a note for the next holder. */
export interface LeaseStore {
  /** Takes or renews the turn until `until` (ISO 8601); false while somebody else has it. */
  acquire(name: string, holder: string, until: string): Promise<boolean>
  release(name: string, holder: string): Promise<void>
  readNote(name: string): Promise<string | undefined>
  writeNote(name: string, note: string | undefined): Promise<void>
}

/** What a browser has put together and not checked out: items in permalink form, and the fields of its form. */
export interface Selection {
  items: string
  fields: readonly (readonly [name: string, value: string])[]
}

/** The kept selections of browsers, one each. */
export interface SelectionStore {
  keep(browser: string, selection: Selection): Promise<void>
  /** Only one that was kept after this time (ISO 8601). */
  find(browser: string, keptAfter: string): Promise<Selection | undefined>
  forget(browser: string): Promise<void>
  /** Forgets those kept before this time (ISO 8601). */
  prune(before: string): Promise<void>
}

/** An open store. */
export interface Store {
  readonly checkouts: CheckoutStore
  readonly events: EventStore
  readonly outbox: Outbox
  readonly leases: LeaseStore
  readonly selections: SelectionStore
  /** When this store was made (ISO 8601): sessions older than that were sold under another one. */
  readonly madeAt: string
  /**
   * Resolves when the store can be read, and could be written within the last seconds: what it writes for that is one
   * row, every so often, however often it is asked. A lock that somebody else holds is not counted against it at once.
   * @throws StoreError
   */
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
