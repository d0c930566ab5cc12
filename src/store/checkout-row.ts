import { type Checkout, parseCheckout } from './checkout.ts'
import type { CheckoutsTable } from './tables.ts'

/** A row of the table as the shop knows it. */
export function fromRow(row: CheckoutsTable): Checkout {
  return parseCheckout({
    id: row.id,
    state: row.state,
    items: JSON.parse(row.items),
    // PostgreSQL hands a bigint over as text; cents stay far below what a number holds exactly.
    amountTotal: Number(row.amount_total),
    currency: row.currency,
    link: row.link,
    linkId: row.link_id,
    clientReferenceId: row.client_reference_id,
    customerEmail: row.customer_email,
    metadata: JSON.parse(row.metadata),
    sessionId: row.session_id,
    paymentIntentId: row.payment_intent_id,
    checkoutUrl: row.checkout_url,
    expiresAt: row.expires_at,
    amountPaid: row.amount_paid === null ? null : Number(row.amount_paid),
    failure: row.failure,
    isHeld: row.held !== 0,
    flags: JSON.parse(row.flags),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    completedAt: row.completed_at,
  })
}
