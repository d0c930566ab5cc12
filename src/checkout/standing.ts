import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { isDotsError } from '../errors.ts'
import { type SettleCheckout, settleCheckout } from '../orders/settle-checkout.ts'
import type { Checkout } from '../store/checkout.ts'
import { StoreError } from '../store/store.ts'

/** What is true of a checkout now. `unconfirmed`: Dots could not be asked, so nothing is claimed. */
export type Standing =
  | { state: 'paid'; checkout: Checkout }
  | { state: 'open'; checkout: Checkout; checkoutUrl: URL }
  | { state: 'ended'; checkout: Checkout }
  | { state: 'unconfirmed'; checkout: Checkout }

/**
 * Asks Dots how the session of a checkout stands, writes it down, and says what is true. `complete` is final: a
 * checkout that has it is not asked after again. What the store cannot keep is still told to the buyer, and found
 * again by the sweep.
 */
export async function standingOf(
  { dots, settle }: { dots: DotsClient; settle: SettleCheckout },
  checkout: Checkout,
): Promise<Standing> {
  if (checkout.state === 'complete') return { state: 'paid', checkout }
  if (checkout.sessionId === null) return { state: 'unconfirmed', checkout }
  const { log } = settle
  let session: Session
  try {
    session = await dots.getCheckoutSession(checkout.sessionId, 'return')
  } catch (error) {
    if (!isDotsError(error)) throw error
    log[error.logLevel](
      { ...error.details, code: error.code, checkout: checkout.id },
      'Dots could not be asked about a session',
    )
    return { state: 'unconfirmed', checkout }
  }
  try {
    await settleCheckout(settle, checkout, session)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log.error({ checkout: checkout.id, code: error.code }, 'the store could not keep how a checkout ended')
  }
  switch (session.status) {
    case 'complete':
      return { state: 'paid', checkout }
    case 'expired':
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
