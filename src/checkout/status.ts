import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { isDotsError, type Log } from '../errors.ts'
import type { Settle } from '../orders/settle.ts'
import type { Checkout } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import type { UnsavedCheckouts } from './unsaved-checkouts.ts'

/** What is true of a checkout now. `unknown`: Dots could not be asked, so nothing is claimed. */
export type CheckoutStatus = 'open' | 'complete' | 'expired' | 'unknown'

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

/** How checkouts are, for buyers who come back. */
export function statusService({ dots, store, settle, unsaved }: StatusOptions) {
  return {
    /** The stored checkout, also one that the store missed at its click. @throws StoreError */
    async find(id: string): Promise<Checkout | undefined> {
      const checkout = await store.checkouts.find(id)
      if (checkout !== undefined && checkout.sessionId !== null) return checkout
      return (await unsaved.save(id, store)) ?? checkout
    },

    /**
     * Asks Dots how the session of a checkout is, settles it, and says what is true. `complete` is final: a checkout
     * that has it is not checked again. What the store cannot record is still shown to the buyer, and found again by the
     * sweep.
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
      // A store that failed has recorded nothing; what Dots says is true all the same.
      const row = settled ?? { ...checkout, state: session.status }
      // Complete is final: somebody else may have settled it while Dots was asked.
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
        'Dots did not say how a session is',
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
