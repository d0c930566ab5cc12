import type { LiveCatalog } from '../catalog/live-catalog.ts'
import { salesLimit } from '../catalog/product.ts'
import type { Config } from '../config.ts'
import type { Session } from '../dots/messages.ts'
import type { Log } from '../errors.ts'
import type { Checkout } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { COMPLETED } from '../store/outbox.ts'
import type { Deliveries } from './deliveries.ts'

interface SettleOptions {
  config: Pick<Config, 'fulfillment'>
  catalog: Pick<LiveCatalog, 'current'>
  store: Store
  deliveries: Pick<Deliveries, 'runNow'>
  now: () => Date
}

export type Settle = ReturnType<typeof settleService>

/**
 * Makes the only function that records the outcome of a session, for the return page, webhooks and the sweep. If it is
 * called twice, or by several processes at the same time, the sale is counted once and one announcement is written, in
 * the same transaction as the completion. `complete` is final, whatever Dots says later.
 *
 * The returned function throws StoreError if nothing could be written; the caller tries again later.
 */
export function settleService({ config, catalog, store, deliveries, now }: SettleOptions) {
  const { checkouts } = store

  async function settle(checkout: Checkout, session: Session, log: Log): Promise<void> {
    if (checkout.state === 'complete') await flagSecondPayment(checkout, session, log)
    else if (session.status === 'complete') await complete(checkout, session, log)
    // A create call that was sent twice may leave a second session with the same checkout id. Its expiry does not count.
    else if (session.status === 'expired' && isItsSession(checkout, session)) {
      await checkouts.recordExpiry(checkout.id)
    }
  }

  async function complete(checkout: Checkout, session: Session, log: Log): Promise<void> {
    const completedAt = now().toISOString()
    const amountPaid = session.amount_total
    const amountMismatch = amountPaid !== undefined && amountPaid !== checkout.amountTotal
    // The one place that decides it. Held is what a person has to look at: a wrong amount, and what was restored and may
    // have been announced before.
    const isHeld = checkout.isHeld || amountMismatch
    const state = config.fulfillment === undefined ? 'none' : isHeld ? 'held' : 'pending'
    const result = await checkouts.recordCompletion(checkout.id, {
      payment: {
        sessionId: session.id,
        paymentIntentId: session.payment_intent_id,
        customerEmail: session.customer_email,
        amountPaid,
      },
      completedAt,
      amountMismatch,
      announcement: {
        // Always the same for an order, also in a rebuilt database, so that receivers recognise it.
        id: `order_${checkout.id}`,
        type: COMPLETED,
        body: announcementBody(checkout, session, completedAt),
        state,
      },
      salesLimits: salesLimitsOf(checkout),
    })
    if (result.outcome !== 'recorded') {
      // Another caller has recorded and logged it. Only a second paid session is still to be flagged.
      const settled = await checkouts.find(checkout.id)
      if (settled !== undefined) await flagSecondPayment(settled, session, log)
      return
    }
    logSettled(checkout, session, { ...result, amountMismatch, isHeld: state === 'held' }, log)
    if (state === 'pending') deliveries.runNow()
  }

  /** Two paid sessions of one checkout: one of the payments has to be refunded, which only a person can do. */
  async function flagSecondPayment(checkout: Checkout, session: Session, log: Log): Promise<void> {
    if (session.status !== 'complete' || isItsSession(checkout, session)) return
    if (!(await checkouts.recordFlag(checkout.id, 'paid-twice'))) return
    log.error(
      {
        event: 'order.paid-twice',
        checkout: checkout.id,
        session: checkout.sessionId,
        secondSession: session.id,
      },
      'paid twice; refund one of the payments',
    )
  }

  function salesLimitsOf(checkout: Checkout): Map<string, number> {
    const limits = new Map<string, number>()
    for (const { sku } of checkout.items) {
      const limit = salesLimit(catalog.current.find(sku))
      if (limit !== undefined) limits.set(sku, limit)
    }
    return limits
  }

  return settle
}

interface Settled {
  amountMismatch: boolean
  isHeld: boolean
  oversold: readonly string[]
  overusedLink: string | undefined
}

/** One line for the order, and one for each thing that a person has to know of it. */
function logSettled(
  { id: checkout, amountTotal: amountAsked }: Checkout,
  { id: session, amount_total: amountPaid }: Session,
  { amountMismatch, isHeld, oversold, overusedLink: link }: Settled,
  log: Log,
): void {
  const details = { checkout, session, amountAsked, amountPaid }
  log.info({ event: 'order.settled', ...details }, 'order paid')
  if (amountPaid === undefined) {
    log.warn({ event: 'order.amount-unknown', ...details }, 'Dots did not say how much was paid')
  }
  if (amountMismatch) {
    log.error(
      { event: 'order.amount-mismatch', ...details },
      'amount mismatch; not announced until `npm run orders -- --resend` releases it',
    )
  }
  if (oversold.length > 0) {
    log.error({ event: 'order.oversold', ...details, skus: oversold }, 'sales limit exceeded')
  }
  if (link !== undefined) {
    log.error({ event: 'order.overused', ...details, link }, 'signed link used more often than it allows')
  }
  if (isHeld && !amountMismatch) {
    log.warn(
      { event: 'order.held', ...details },
      'restored order may have been announced before; `npm run reconcile -- --announce` announces it',
    )
  }
}

function isItsSession({ sessionId }: Checkout, session: Session): boolean {
  return sessionId === null || session.id === undefined || session.id === sessionId
}

/**
 * The body of the announcement, without the amount paid and the flags, which are added when it is sent.
 * `customer_email` is the email in the paid session.
 */
function announcementBody(checkout: Checkout, session: Session, completedAt: string): string {
  return JSON.stringify({
    type: COMPLETED,
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
