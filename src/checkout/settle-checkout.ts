import type { DotsClient } from '../dots/client.ts'
import { DotsError } from '../dots/errors.ts'
import type { Session } from '../dots/messages.ts'
import type { Checkout } from '../store/checkout.ts'
import { type CheckoutStore, StoreError } from '../store/store.ts'
import type { Log } from './log.ts'

/** What is true of a checkout now. `unconfirmed`: Dots could not be asked, so nothing is claimed. */
export type Standing =
  | { state: 'paid'; checkout: Checkout }
  | { state: 'open'; checkout: Checkout; checkoutUrl: URL }
  | { state: 'ended'; checkout: Checkout }
  | { state: 'unconfirmed'; checkout: Checkout }

export interface SettleCheckout {
  dots: DotsClient
  checkouts: CheckoutStore
  log: Log
  now: () => Date
  /** Bounds the question to Dots. */
  deadlineMs: number
}

/**
 * Asks Dots how the session of a checkout stands, writes it down, and says what is true. `complete` is final: a
 * checkout that has it is not asked after again. What the store cannot keep is still told to the buyer.
 */
export async function settleCheckout(deps: SettleCheckout, checkout: Checkout): Promise<Standing> {
  const { dots, checkouts, log } = deps
  if (checkout.state === 'complete') return { state: 'paid', checkout }
  if (checkout.sessionId === null) return { state: 'unconfirmed', checkout }
  let session: Session
  try {
    session = await dots.getCheckoutSession(checkout.sessionId, { deadlineMs: deps.deadlineMs })
  } catch (error) {
    if (!(error instanceof DotsError)) throw error
    log[error.logLevel](
      { ...error.facts, code: error.code, checkout: checkout.id },
      'Dots could not be asked about a session',
    )
    return { state: 'unconfirmed', checkout }
  }
  switch (session.status) {
    case 'complete':
      await keep(log, checkout, () => checkouts.recordCompletion(checkout.id, completionFacts(session)))
      return { state: 'paid', checkout }
    case 'expired':
      await keep(log, checkout, () => checkouts.recordExpiry(checkout.id))
      return { state: 'ended', checkout }
    case 'open': {
      const url = session.checkout_session_url ?? checkout.checkoutUrl ?? undefined
      const checkoutUrl = url === undefined ? undefined : dots.checkUrl(url)
      return checkoutUrl === undefined
        ? { state: 'unconfirmed', checkout }
        : { state: 'open', checkout, checkoutUrl }
    }
    default:
      return { state: 'unconfirmed', checkout }
  }
}

function completionFacts(session: Session) {
  return {
    sessionId: session.id,
    paymentIntentId: session.payment_intent_id,
    customerEmail: session.customer_email,
    amountPaid: session.amount_total,
  }
}

async function keep(log: Log, checkout: Checkout, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log.error({ checkout: checkout.id, code: error.code }, 'the store could not keep how a checkout ended')
  }
}
