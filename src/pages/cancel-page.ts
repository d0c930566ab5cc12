import { html } from 'ghtml'
import { layout } from './layout.ts'
import { type Action, actionLinks, messageCard } from './message-card.ts'
import { type OrderSummary, orderSummary } from './order-summary.ts'
import type { Shop } from './shop.ts'

interface Cancelled extends OrderSummary {
  reference: string
  /** False where Dots could not be asked: the page then makes no promise. True unless told otherwise. */
  notCharged?: boolean
}

/** A buyer who came back from the checkout, by what has become of the session. */
export type CancelPage =
  | (Cancelled & { state: 'open'; checkoutUrl: string })
  | (Cancelled & { state: 'ended'; buyAgainUrl: string })
  | (Cancelled & { state: 'paid'; successUrl: string })

interface Story {
  title: string
  message: string
  action: Action
}

/** The way back after a cancelled checkout. A paid order is never said to be cancelled or free of charge. */
export function cancelPage(shop: Shop, cancelled: CancelPage): string {
  const { title, message, action } = storyOf(cancelled)
  const notCharged = cancelled.state !== 'paid' && cancelled.notCharged !== false
  const body = messageCard({
    heading: title,
    content: html`!${notCharged ? '<p class="assurance">You have not been charged.</p>' : ''}
<p class="lead">${message}</p>
!${orderSummary(cancelled)}
!${actionLinks(shop, [
      { ...action, primary: true },
      { label: 'Go to the shop', url: '/' },
    ])}`,
    reference: cancelled.reference,
  })
  return layout(shop, { title, body })
}

function storyOf(cancelled: CancelPage): Story {
  // Dots could not be asked: whether the checkout is open or ended is a guess, so only the way on is told.
  if (cancelled.notCharged === false && cancelled.state !== 'paid') {
    return {
      title: 'You left the checkout',
      message: 'We cannot tell right now how it stands. If you have paid, please do not pay again.',
      action:
        cancelled.state === 'open'
          ? { label: 'Back to the checkout', url: cancelled.checkoutUrl }
          : { label: 'Start a new checkout', url: cancelled.buyAgainUrl },
    }
  }
  switch (cancelled.state) {
    case 'open':
      return {
        title: 'You left the checkout',
        message: 'It is still open. You can go back and finish it, or leave it: it closes by itself.',
        action: { label: 'Back to the checkout', url: cancelled.checkoutUrl },
      }
    case 'ended':
      return {
        title: 'This checkout has ended',
        message: 'It can no longer be paid. If you still want to buy, start a new one.',
        action: { label: 'Start a new checkout', url: cancelled.buyAgainUrl },
      }
    case 'paid':
      return {
        title: 'This order is already paid',
        message: 'Coming back here did not cancel it. If you want to change it, please contact the shop.',
        action: { label: 'See your order', url: cancelled.successUrl },
      }
  }
}
