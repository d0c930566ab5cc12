import { html } from 'ghtml'
import { layout } from './layout.ts'
import { webUrl } from './link.ts'
import { actionLinks, messageCard } from './message-card.ts'
import { type OrderSummary, orderSummary } from './order-summary.ts'
import type { Shop } from './shop.ts'
import { waitingTime } from './waiting-time.ts'

// Time to read the page and see the total; who is quicker has the link.
export const CONTINUE_AFTER_SECONDS = 10

/** When and where a page looks for news of the payment. */
export interface LookAgain {
  seconds: number
  url: string
}

export interface PaidPage extends OrderSummary {
  amountTotal: number
  currency: string
  reference: string
  /** The merchant's own words from the catalog. */
  customMessage?: string
  /** Where the merchant wants the buyer next. */
  continueUrl?: string
  locale: string
  /** The buyer's address; the page shows no more of it than the buyer needs to know it again. */
  email?: string
}

/** The one page that says a payment is complete: only for a session that Dots calls complete. */
export function paidPage(shop: Shop, paid: PaidPage): string {
  const next = webUrl(shop, paid.continueUrl)
  const email = paid.email === undefined ? undefined : maskedEmail(paid.email)
  const body = messageCard({
    tick: true,
    heading: 'Thank you. Your payment is complete.',
    content: html`!${paid.customMessage === undefined ? '' : html`<p class="lead prose" dir="auto">${paid.customMessage}</p>`}
!${orderSummary(paid)}
!${email === undefined ? '' : html`<p class="help">Your email: <bdi>${email}</bdi></p>`}
!${next === undefined ? '' : html`<p>You will be taken on in ${waitingTime(CONTINUE_AFTER_SECONDS)}.</p>`}
!${actionLinks(shop, [
      { label: 'Continue now', url: next, primary: true },
      { label: 'Back to the shop', url: next === undefined ? '/' : undefined },
    ])}`,
    reference: paid.reference,
  })
  return layout(shop, {
    title: 'Payment complete',
    body,
    ...(next === undefined ? {} : { refresh: { seconds: CONTINUE_AFTER_SECONDS, url: next } }),
  })
}

/** `jane@example.com` as `j•••@example.com`; undefined where there is no address to show. */
export function maskedEmail(email: string): string | undefined {
  const at = email.lastIndexOf('@')
  if (at < 1 || at === email.length - 1) return undefined
  const [first = ''] = email
  // Of a name of one letter even that letter is the whole.
  return `${first.length < at ? first : ''}•••${email.slice(at)}`
}

export interface StillOpenPage extends OrderSummary {
  checkoutUrl: string
  lookAgain: LookAgain
  reference: string
}

/** For a session that Dots calls open: says that no payment has been seen, not that there is none. */
export function stillOpenPage(shop: Shop, open: StillOpenPage): string {
  const title = 'Your payment is not finished yet'
  const body = messageCard({
    heading: title,
    content: html`<p class="lead" role="status">We have not received a payment for this order so far.</p>
<p>If you have just paid, please wait. !${looksAgain(open.lookAgain)}</p>
<p>If not, your checkout is still open: you can go back and finish it.</p>
!${orderSummary(open)}
!${actionLinks(shop, [
      { label: 'Back to the checkout', url: open.checkoutUrl, primary: true },
      { label: 'Look again now', url: open.lookAgain.url },
    ])}`,
    reference: open.reference,
  })
  return layout(shop, { title, body, refresh: open.lookAgain })
}

export interface ExpiredPage extends OrderSummary {
  buyAgainUrl: string
  reference: string
}

/** For a session that Dots calls expired. */
export function expiredPage(shop: Shop, expired: ExpiredPage): string {
  const title = 'This checkout has expired'
  const body = messageCard({
    heading: title,
    content: html`<p class="lead">A checkout stays open for a limited time, and the time of this one is over. It can no longer be paid. You are welcome to start a new one.</p>
!${orderSummary(expired)}
!${actionLinks(shop, [
      { label: 'Start a new checkout', url: expired.buyAgainUrl, primary: true },
      { label: 'Go to the shop', url: '/' },
    ])}`,
    reference: expired.reference,
  })
  return layout(shop, { title, body })
}

export interface ConfirmingPage {
  lookAgain: LookAgain
  reference: string
}

/** For the time in which Dots cannot be asked: claims neither that the order is paid nor that it is not. */
export function confirmingPage(shop: Shop, { lookAgain, reference }: ConfirmingPage): string {
  const title = 'We are confirming your payment'
  const body = messageCard({
    heading: title,
    content: html`<p class="lead" role="status">This takes longer than usual. We cannot tell you yet how it went.</p>
<p>!${looksAgain(lookAgain)} Please do not pay a second time while we are looking.</p>
!${actionLinks(shop, [{ label: 'Look again now', url: lookAgain.url, primary: true }])}`,
    reference,
  })
  return layout(shop, { title, body, refresh: lookAgain })
}

function looksAgain({ seconds }: LookAgain): string {
  return html`This page looks again by itself in ${waitingTime(seconds)}.`
}
