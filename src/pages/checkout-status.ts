import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { actionLinks, layout, messageCard, type Refresh } from './layout.ts'
import { type OrderSummary, orderSummary } from './order-summary.ts'
import { text, waitingTime } from './text.ts'

// Time to read the page; the link is there for those who are quicker.
const CONTINUE_AFTER_SECONDS = 10

/** What is true of a checkout now; `unknown` where Dots does not say. */
export type CheckoutStatus = 'open' | 'complete' | 'expired' | 'unknown'

/** A buyer who comes back from the checkout. The page picks what it needs; all URLs must be safe. */
export interface CheckoutStatusPage {
  /** What Dots says of the session; `unknown` where it could not be asked. */
  status: CheckoutStatus
  /** The buyer came by the checkout's cancel URL. */
  cancelled: boolean
  order?: OrderSummary
  orderReference?: string
  /** Shown where there is no order reference. */
  requestId?: string
  /** The hosted page, while it should be open. */
  checkoutUrl?: string
  /** Opens a new checkout for the same purchase. */
  buyAgainUrl?: string
  /** The page of this order after the payment. */
  successUrl?: string
  /** When and where to check again, while there is no payment. */
  refresh?: Refresh
  /** The merchant's own words after the payment. */
  customMessage?: string
  /** Where the merchant sends the buyer after the payment. */
  continueUrl?: string
  /** Shown in part only. */
  email?: string
}

/**
 * The page for the buyer's return, by /success or /cancel. It says paid only of a session that Dots calls
 * complete, and not charged only of one that Dots calls open or expired; for `unknown` it claims neither.
 */
export function checkoutStatusPage(shop: Shop, page: CheckoutStatusPage): string {
  const { status, cancelled, order, email, customMessage, orderReference } = page
  const labels = text.checkoutStatus
  const words = labels[cancelled ? 'cancelled' : 'returned'][status]
  const isPaid = status === 'complete' && !cancelled
  const isWaiting = !cancelled && (status === 'open' || status === 'unknown')
  const notCharged = cancelled && (status === 'open' || status === 'expired')
  const mayBeOpen = status === 'open' || (cancelled && status === 'unknown')

  const continueUrl = isPaid ? page.continueUrl : undefined
  const checkAgain = isWaiting ? page.refresh : undefined
  const refresh = continueUrl ? { seconds: CONTINUE_AFTER_SECONDS, url: continueUrl } : checkAgain
  const refreshText = continueUrl ? labels.redirectsIn : labels.refreshesIn
  const checkoutUrl = mayBeOpen ? page.checkoutUrl : undefined
  const canBuyAgain = status === 'expired' || (cancelled && status === 'unknown' && checkoutUrl === undefined)
  const actions = [
    { label: labels.continue, url: continueUrl },
    { label: labels.seeOrder, url: cancelled && status === 'complete' ? page.successUrl : undefined },
    { label: labels.backToCheckout, url: checkoutUrl },
    { label: labels.newCheckout, url: canBuyAgain ? page.buyAgainUrl : undefined },
    { label: labels.checkAgain, url: checkAgain?.url },
  ]
  const body = messageCard({
    tick: isPaid,
    heading: words.heading ?? words.title,
    content: html`!${notCharged ? html`<p class="assurance">${text.notCharged}</p>` : ''}
!${words.lead && html`<p class="lead"!${isWaiting ? ' role="status"' : ''}>${words.lead}</p>`}
!${words.more && html`<p>${words.more}</p>`}
!${isPaid && customMessage ? html`<p class="lead prose" dir="auto">${customMessage}</p>` : ''}
!${order && (status !== 'unknown' || cancelled) ? orderSummary(order) : ''}
!${isPaid && email ? html`<p class="help">${labels.email} <bdi>${maskedEmail(email)}</bdi></p>` : ''}
!${refresh && html`<p>${refreshText(waitingTime(refresh.seconds))}</p>`}
!${actionLinks(actions, { toShop: refresh === undefined })}`,
    reference: orderReference
      ? { label: text.orderReference, value: orderReference }
      : { label: text.problem.reference, value: page.requestId },
  })
  return layout(shop, { title: words.title, body, refresh })
}

/** `jane@example.com` as `j•••@example.com`. A name of one letter is hidden altogether. */
function maskedEmail(email: string): string {
  const at = email.lastIndexOf('@')
  const [first = ''] = email
  return `${first.length < at ? first : ''}•••${email.slice(at)}`
}
