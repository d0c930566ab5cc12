import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { isDotsError, type Log } from '../errors.ts'
import type { Settle } from '../orders/settle.ts'
import type { CheckoutStatus } from '../pages/checkout-status.ts'
import { type Checkout, itemsOf } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import type { UnsavedCheckouts } from './unsaved-checkouts.ts'

/** For how long an answer of Dots counts: a page of an open checkout reloads itself after three seconds at the earliest. */
const FRESH_MS = 2_000
/** Bounds the memory. More buyers than this do not return within two seconds. */
const MAX_ANSWERS = 5_000

interface StatusOptions {
  dots: DotsClient
  store: Store
  settle: Settle
  unsaved: UnsavedCheckouts
  /** A monotonic clock, in milliseconds. */
  clock: () => number
}

export interface RefreshedCheckout {
  status: CheckoutStatus
  /** The row, settled. */
  checkout: Checkout
  /** Where an open one can be paid; it has passed the check of checkout URLs. */
  checkoutUrl?: URL
}

export type Status = ReturnType<typeof statusService>

/** The status of checkouts, for returning buyers and second clicks. */
export function statusService({ dots, store, settle, unsaved, clock }: StatusOptions) {
  /** The last answers by session id, in the order of their calls. */
  const answers = new Map<string, { answer: Promise<RefreshedCheckout>; askedAt: number; isDone: boolean }>()

  return {
    /** The checkout, also one that could not be stored when it was opened. @throws StoreError */
    async find(id: string): Promise<Checkout | undefined> {
      const checkout = await store.checkouts.find(id)
      if (checkout !== undefined && checkout.sessionId !== null) return checkout
      return (await unsaved.save(id, store)) ?? checkout
    },

    /**
     * Reads the session of a checkout from Dots, settles it, and returns the status. `complete` is final: such a checkout
     * is not checked again. If the store fails, the buyer still gets the status, and the sweep records it later.
     *
     * Dots is asked about one session at most once in two seconds: others get the same answer, also that there is none.
     */
    async refresh(checkout: Checkout, log: Log): Promise<RefreshedCheckout> {
      if (checkout.state === 'complete') return { status: 'complete', checkout }
      const { sessionId } = checkout
      if (sessionId === null) return { status: 'unknown', checkout }
      const last = answers.get(sessionId)
      if (last !== undefined && !isOld(last)) return last.answer
      answers.delete(sessionId)
      const [oldest = ''] = answers.keys()
      if (answers.size >= MAX_ANSWERS) answers.delete(oldest)
      const asked = { answer: ask(checkout, sessionId, log), askedAt: clock(), isDone: false }
      answers.set(sessionId, asked)
      try {
        return await asked.answer
      } finally {
        asked.isDone = true
        // It holds an email, which must not stay in memory until somebody else comes back.
        setTimeout(() => answers.get(sessionId) === asked && answers.delete(sessionId), FRESH_MS).unref()
      }
    },
  }

  function isOld({ askedAt, isDone }: { askedAt: number; isDone: boolean }): boolean {
    return isDone && clock() - askedAt >= FRESH_MS
  }

  async function ask(checkout: Checkout, sessionId: string, log: Log): Promise<RefreshedCheckout> {
    const session = await readSession(checkout, sessionId, log)
    if (session?.status === undefined) return { status: 'unknown', checkout }
    const settled = await optional(log, 'order.settle-failed', () => settleAndRead(checkout, session, log), {
      checkout: checkout.id,
    })
    // If the store has failed, nothing is recorded, but the status from Dots is still right.
    const amountPaid = session.status === 'complete' ? (session.amount_total ?? null) : null
    const row = settled ?? { ...checkout, state: session.status, amountPaid }
    // Complete is final: a webhook or the sweep may have settled it during the call to Dots.
    if (row.state === 'complete') return { status: 'complete', checkout: row }
    if (session.status !== 'open') return { status: session.status, checkout: row }
    const url = session.checkout_session_url ?? checkout.checkoutUrl
    const checkoutUrl = url == null ? undefined : dots.checkUrl(url)
    return checkoutUrl === undefined
      ? { status: 'unknown', checkout: row }
      : { status: 'open', checkout: row, checkoutUrl }
  }

  async function readSession(checkout: Checkout, sessionId: string, log: Log): Promise<Session | undefined> {
    try {
      return await dots.getCheckoutSession(sessionId, 'return')
    } catch (error) {
      if (!isDotsError(error)) throw error
      log[error.logLevel](
        {
          event: 'checkout.status-unknown',
          ...error.details,
          code: error.code,
          checkout: checkout.id,
          items: itemsOf(checkout),
        },
        'could not get the status of a session from Dots',
      )
      return undefined
    }
  }

  async function settleAndRead(
    checkout: Checkout,
    session: Session,
    log: Log,
  ): Promise<Checkout | undefined> {
    if (session.status === 'open') return checkout
    await settle(checkout, session, log)
    return store.checkouts.find(checkout.id)
  }
}
