import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { isDotsError, type Log } from '../errors.ts'
import type { Settle } from '../orders/settle.ts'
import type { CheckoutStatus } from '../pages/checkout-status.ts'
import type { Checkout } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import type { UnsavedCheckouts } from './unsaved-checkouts.ts'

interface StatusOptions {
  dots: DotsClient
  store: Store
  settle: Settle
  unsaved: UnsavedCheckouts
}

export interface RefreshedCheckout {
  status: CheckoutStatus
  /** The row, settled. */
  checkout: Checkout
  /** Where an open one can be paid; it has passed the check of checkout URLs. */
  checkoutUrl?: URL
}

export type Status = ReturnType<typeof statusService>

/** The status of checkouts, for returning buyers. */
export function statusService({ dots, store, settle, unsaved }: StatusOptions) {
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
     */
    async refresh(checkout: Checkout, log: Log): Promise<RefreshedCheckout> {
      if (checkout.state === 'complete') return { status: 'complete', checkout }
      const session = await readSession(checkout, log)
      if (session?.status === undefined) return { status: 'unknown', checkout }
      const settled = await optional(
        log,
        'order.settle-failed',
        () => settleAndRead(checkout, session, log),
        {
          checkout: checkout.id,
        },
      )
      // If the store has failed, nothing is recorded, but the status from Dots is still right.
      const row = settled ?? { ...checkout, state: session.status }
      // Complete is final: a webhook or the sweep may have settled it during the call to Dots.
      if (row.state === 'complete') return { status: 'complete', checkout: row }
      if (session.status !== 'open') return { status: session.status, checkout: row }
      const url = session.checkout_session_url ?? checkout.checkoutUrl
      const checkoutUrl = url == null ? undefined : dots.checkUrl(url)
      return checkoutUrl === undefined
        ? { status: 'unknown', checkout: row }
        : { status: 'open', checkout: row, checkoutUrl }
    },
  }

  async function readSession({ id, sessionId }: Checkout, log: Log): Promise<Session | undefined> {
    if (sessionId === null) return undefined
    try {
      return await dots.getCheckoutSession(sessionId, 'return')
    } catch (error) {
      if (!isDotsError(error)) throw error
      log[error.logLevel](
        { event: 'checkout.status-unknown', ...error.details, code: error.code, checkout: id },
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
