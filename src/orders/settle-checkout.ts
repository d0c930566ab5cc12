import type { Session } from '../dots/messages.ts'
import type { Log } from '../log.ts'
import type { Checkout } from '../store/checkout.ts'
import type { CheckoutStore } from '../store/store.ts'
import { announcementBody, announcementId } from './announcement.ts'

export interface SettleCheckout {
  checkouts: CheckoutStore
  log: Log
  now: () => Date
  /** How many sales of a sku there may be at the most; undefined: any number. */
  salesLimit: (sku: string) => number | undefined
  /** `held` where there is nobody to announce to, or where the sale may have been announced before. */
  announceAs: 'pending' | 'held'
  /** Called when an announcement is waiting in the outbox. */
  announced: () => void
}

/**
 * Writes down what Dots says of a checkout's session. The one function for it, whoever heard of the news: return
 * page, webhook or sweep. Called twice, or by several processes at the same time, it counts a sale once and writes
 * one announcement, in the same transaction as the completion. `complete` is final, whatever Dots says later.
 *
 * @throws StoreError when nothing could be written; the caller tries again later.
 */
export async function settleCheckout(
  deps: SettleCheckout,
  checkout: Checkout,
  session: Session,
): Promise<void> {
  if (checkout.state === 'complete') await noteSecondPayment(deps, checkout, session)
  else if (session.status === 'complete') await complete(deps, checkout, session)
  // A call that was made twice leaves a second session with the same checkout's id, which ends unseen by anybody.
  else if (session.status === 'expired' && isTheSession(checkout, session)) {
    await deps.checkouts.recordExpiry(checkout.id)
  }
}

function isTheSession({ sessionId }: Checkout, session: Session): boolean {
  return sessionId === null || session.id === undefined || session.id === sessionId
}

async function complete(deps: SettleCheckout, checkout: Checkout, session: Session): Promise<void> {
  const { checkouts, log } = deps
  const completedAt = deps.now().toISOString()
  const announceAs = checkout.isHeld ? 'held' : deps.announceAs
  const facts = { checkout: checkout.id, session: session.id, amountAsked: checkout.amountTotal }
  const amountMismatch = session.amount_total !== undefined && session.amount_total !== checkout.amountTotal
  const result = await checkouts.recordCompletion(checkout.id, {
    facts: {
      sessionId: session.id,
      paymentIntentId: session.payment_intent_id,
      customerEmail: session.customer_email,
      amountPaid: session.amount_total,
    },
    completedAt,
    amountMismatch,
    announcement: amountMismatch
      ? undefined
      : {
          id: announcementId(checkout.id),
          body: announcementBody(checkout, session, completedAt),
          state: announceAs,
        },
    salesLimits: salesLimits(deps, checkout),
  })
  if (result.outcome !== 'recorded') {
    // Whoever came first has told the log, too; unless it was about another session.
    const settled = await checkouts.find(checkout.id)
    if (settled !== undefined) await noteSecondPayment(deps, settled, session)
    return
  }
  log.info({ ...facts, amountPaid: session.amount_total }, 'a checkout is paid')
  if (session.amount_total === undefined) log.warn(facts, 'Dots did not say how much was paid')
  if (amountMismatch) {
    log.error(
      { ...facts, amountPaid: session.amount_total },
      'the amount paid is not the amount asked: not announced, look at it',
    )
  }
  if (result.oversold.length > 0) log.error({ ...facts, skus: result.oversold }, 'sold past the limit')
  if (checkout.isHeld && deps.announceAs === 'pending') {
    log.warn(
      facts,
      'restored, and perhaps announced before: held back until `npm run reconcile -- --announce`',
    )
  }
  if (!amountMismatch && announceAs === 'pending') deps.announced()
}

/** Two paid sessions of one checkout: the buyer has to get one of the payments back, which only a person can do. */
async function noteSecondPayment(
  { checkouts, log }: SettleCheckout,
  checkout: Checkout,
  session: Session,
): Promise<void> {
  if (session.status !== 'complete' || isTheSession(checkout, session)) return
  if (!(await checkouts.recordFlag(checkout.id, 'paid-twice'))) return
  log.error(
    { checkout: checkout.id, session: checkout.sessionId, secondSession: session.id },
    'a checkout was paid in two sessions: give one of them back',
  )
}

function salesLimits({ salesLimit }: SettleCheckout, checkout: Checkout): Map<string, number> {
  const limits = new Map<string, number>()
  for (const { sku } of checkout.items) {
    const limit = salesLimit(sku)
    if (limit !== undefined) limits.set(sku, limit)
  }
  return limits
}
