import { randomUUID } from 'node:crypto'
import type { OpenSession } from '../dots/client.ts'
import { isDotsError } from '../errors.ts'
import type { Log } from '../log.ts'
import { merchantMetadata } from '../orders/session-metadata.ts'
import type { NewCheckout } from '../store/checkout.ts'
import { type OpenedSession, StoreError } from '../store/store.ts'
import type { Click } from './click.ts'
import type { PricedCart } from './priced-cart.ts'
import { fingerprintOf, recordOrReturn, type SecondClick } from './second-click.ts'
import { sessionRequest } from './session-request.ts'
import type { UnkeptClicks } from './unkept-clicks.ts'

export interface StartCheckout extends SecondClick {
  log: Log
  publicUrl: string
  /** Seconds. */
  expiresIn: number
  /** The store's name for the browser; undefined: each click is its own. */
  browser: string | undefined
  /** The way back to the same purchase, as a path with query. */
  link: string
  unkept: UnkeptClicks
}

export interface StartedCheckout {
  checkoutId: string
  checkoutUrl: URL
  /** True where the browser was led back to a checkout that it had already. */
  isSame: boolean
}

/**
 * One click on a priced cart: writes the row, opens a session at Dots, completes the row.
 *
 * The row comes before the call, so that a session which nobody heard of again can be found by it. A store that fails
 * costs no sale: the facts then stand in the log and in the session's own metadata. A browser that has an open checkout
 * for the same purchase is led back to it, and two clicks of it at the same moment make one session.
 *
 * @throws DotsError when there is no session to send the buyer to.
 */
export async function startCheckout(
  deps: StartCheckout,
  click: Click,
  priced: PricedCart,
): Promise<StartedCheckout> {
  const { checkouts, log, now, browser } = deps
  const checkoutId = randomUUID()
  const request = sessionRequest(priced, click.buyer, {
    checkoutId,
    linkId: click.linkId,
    publicUrl: deps.publicUrl,
    expiresIn: deps.expiresIn,
  })
  const checkout: NewCheckout = {
    id: checkoutId,
    items: priced.lines.map(({ product, quantity, amount }) => ({
      sku: product.sku,
      name: product.name,
      quantity,
      amount,
    })),
    amountTotal: priced.amountTotal,
    currency: priced.currency,
    link: deps.link,
    linkId: click.linkId ?? null,
    clientReferenceId: click.buyer.clientReferenceId ?? null,
    customerEmail: click.buyer.email ?? null,
    metadata: merchantMetadata(request.metadata),
  }
  // Never the email: a line of the log lives longer than a buyer's consent.
  const facts = { checkout: checkoutId, items: request.metadata.items, amountTotal: priced.amountTotal }
  let isKept = true
  const keep = async <T>(what: string, work: () => Promise<T>, more: object = {}): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      isKept = false
      log.error(
        { ...facts, ...more, code: error.code },
        `the store could not keep ${what}; the sale goes on without it`,
      )
      return undefined
    }
  }

  if (browser === undefined) {
    await keep('the click', () => checkouts.recordCreating(checkout))
  } else {
    const visit = { browser, fingerprint: fingerprintOf(priced, click) }
    const before = await keep('the click', () => recordOrReturn(deps, checkout, visit))
    if (before !== undefined) return { ...before, isSame: true }
  }

  let opened: OpenSession
  try {
    opened = await deps.dots.createCheckoutSession(request)
  } catch (error) {
    if (isDotsError(error)) {
      Object.assign(error.details, facts)
      await keep('the failure', () =>
        error.sessionMayExist
          ? checkouts.recordUnknown(checkoutId, error.code)
          : checkouts.recordFailed(checkoutId, error.code),
      )
    }
    throw error
  }
  const { session, checkoutUrl } = opened
  const openedSession: OpenedSession = {
    sessionId: session.id,
    paymentIntentId: session.payment_intent_id,
    checkoutUrl: checkoutUrl.href,
    // Dots' word where it is a time, our own wish otherwise.
    expiresAt: session.expiry ?? new Date(now().getTime() + request.expires_in * 1000).toISOString(),
  }
  const outcome = await keep('the session', () => checkouts.recordOpen(checkoutId, openedSession), {
    session: session.id,
  })
  if (outcome === 'unknown-checkout') {
    log.error(
      { ...facts, session: session.id, code: 'no-row' },
      'the store has no row for the session of a click; the sale goes on without it',
    )
  }
  if (!isKept) deps.unkept.remember({ checkout, session: openedSession, createdAt: now().toISOString() })
  return { checkoutId, checkoutUrl, isSame: false }
}
