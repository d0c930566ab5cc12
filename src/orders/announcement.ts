import type { Session } from '../dots/messages.ts'
import type { Checkout } from '../store/checkout.ts'

/**
 * The message id of a checkout's announcement. It follows from the checkout's id alone, so that a resend, or a store
 * that was rebuilt from nothing, names the same order the same way and a receiver can tell.
 */
export function announcementId(checkoutId: string): string {
  return `order_${checkoutId}`
}

/** The exact text that is announced of a paid checkout. `customer_email` is the one that Dots knows after payment. */
export function announcementBody(checkout: Checkout, session: Session, completedAt: string): string {
  return JSON.stringify({
    type: 'checkout.completed',
    timestamp: completedAt,
    data: {
      checkout_id: checkout.id,
      session_id: session.id ?? checkout.sessionId,
      payment_intent_id: session.payment_intent_id ?? checkout.paymentIntentId,
      items: checkout.items.map(({ sku, name, quantity, amount }) => ({ sku, name, quantity, amount })),
      amount_total: checkout.amountTotal,
      currency: checkout.currency,
      customer_email: session.customer_email ?? null,
      client_reference_id: session.client_reference_id ?? checkout.clientReferenceId,
      metadata: checkout.metadata,
      completed_at: completedAt,
    },
  })
}
