import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { type Action, actionLinks, layout, messageCard, type Refresh } from './layout.ts'
import { type OrderSummary, orderSummary } from './order-summary.ts'
import { text, waitingTime } from './text.ts'

// Time to read the page and see the total; the link is there for those who are quicker.
const CONTINUE_AFTER_SECONDS = 10

/** A buyer who comes back from the checkout. The page picks what it needs; all URLs must be safe. */
export interface CheckoutStatusPage {
  /** What Dots says of the session; `unknown` where nobody could be asked. */
  status: 'open' | 'complete' | 'expired' | 'unknown'
  /** The buyer came by the checkout's way out, not by its success URL. */
  cancelled: boolean
  order?: OrderSummary
  /** Of the order, once it is known. */
  orderReference?: string
  /** Shown where there is no order reference. */
  requestId?: string
  /** The hosted page, as long as it should be open. */
  checkoutUrl?: string
  /** Opens a new checkout for the same purchase. */
  buyAgainUrl?: string
  /** The page of this order after the payment. */
  successUrl?: string
  /** When and where to check again, as long as there is no payment. */
  refresh?: Refresh
  /** The merchant's own words from the catalog, after the payment. */
  customMessage?: string
  /** Where the merchant wants the buyer to go after the payment. */
  continueUrl?: string
  /** The buyer's; the page shows only what is needed to recognise it. */
  email?: string
}

/**
 * The page for the buyer's return, by /success or /cancel. It says paid only of a session that Dots calls complete, and
 * not charged only of one that Dots calls open or expired; for `unknown` it claims neither.
 */
export function checkoutStatusPage(shop: Shop, page: CheckoutStatusPage): string {
  const { status, cancelled, order, email, customMessage } = page
  const labels = text.checkoutStatus
  const words = labels[cancelled ? 'cancelled' : 'returned'][status]
  const isPaid = status === 'complete' && !cancelled
  const isWaiting = !cancelled && (status === 'open' || status === 'unknown')
  const notCharged = cancelled && (status === 'open' || status === 'expired')
  const isOrderShown = order !== undefined && (status !== 'unknown' || cancelled)
  const continueUrl = isPaid ? page.continueUrl : undefined
  const checkAgain = isWaiting ? page.refresh : undefined
  const refresh = continueUrl ? { seconds: CONTINUE_AFTER_SECONDS, url: continueUrl } : checkAgain
  const refreshText = continueUrl ? labels.redirectsIn : labels.refreshesIn
  const body = messageCard({
    tick: isPaid,
    heading: words.heading ?? words.title,
    content: html`!${notCharged ? html`<p class="assurance">${text.notCharged}</p>` : ''}
!${words.lead && html`<p class="lead"!${isWaiting ? ' role="status"' : ''}>${words.lead}</p>`}
!${words.more && html`<p>${words.more}</p>`}
!${isPaid && customMessage ? html`<p class="lead prose" dir="auto">${customMessage}</p>` : ''}
!${isOrderShown ? orderSummary(order) : ''}
!${isPaid && email ? html`<p class="help">${labels.email} <bdi>${maskedEmail(email)}</bdi></p>` : ''}
!${refresh && html`<p>${refreshText(waitingTime(refresh.seconds))}</p>`}
!${actionLinks([...nextSteps(page), { label: labels.checkAgain, url: checkAgain?.url }], {
      toShop: refresh === undefined,
    })}`,
    reference: referenceOf(page),
  })
  return layout(shop, { title: words.title, body, refresh })
}

function nextSteps({ status, cancelled, ...urls }: CheckoutStatusPage): Action[] {
  const labels = text.checkoutStatus
  const backToCheckout = { label: labels.backToCheckout, url: urls.checkoutUrl }
  const newCheckout = { label: labels.newCheckout, url: urls.buyAgainUrl }
  switch (status) {
    case 'complete':
      return cancelled
        ? [{ label: labels.seeOrder, url: urls.successUrl }]
        : [{ label: labels.continue, url: urls.continueUrl }]
    case 'open':
      return [backToCheckout]
    case 'expired':
      return [newCheckout]
    case 'unknown':
      if (!cancelled) return []
      return [urls.checkoutUrl === undefined ? newCheckout : backToCheckout]
  }
}

function referenceOf({ orderReference, requestId }: CheckoutStatusPage) {
  if (orderReference !== undefined) return { label: text.orderReference, value: orderReference }
  return requestId === undefined ? undefined : { label: text.problem.reference, value: requestId }
}

/** `jane@example.com` as `j•••@example.com`. A name of one letter is hidden altogether. */
function maskedEmail(email: string): string {
  const at = email.lastIndexOf('@')
  const [first = ''] = email
  return `${first.length < at ? first : ''}•••${email.slice(at)}`
}
