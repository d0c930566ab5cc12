import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { DEADLINES_MS, type DotsClient } from '../dots/client.ts'
import { AppError, isDotsError, type Log } from '../errors.ts'
import { buyPath, formatItems } from '../links/cart.ts'
import { formFields } from '../links/parameters.ts'
import type { Checkout, NewCheckout, OpenedSession, PurchaseKey } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import type { Link } from './link.ts'
import type { Order } from './price.ts'
import { type SessionRequest, sessionRequest } from './session-request.ts'
import type { Status } from './status.ts'
import type { UnsavedCheckouts } from './unsaved-checkouts.ts'

/**
 * A session older than this is checked at Dots before a buyer is sent back to it. A younger one is not checked, since
 * people click twice within seconds: the buyer is sent back even if it was paid and the payment is not recorded yet.
 */
const CHECK_AFTER_MS = 60_000
/** How often a second click checks whether the session of the first one is there. */
const POLL_MS = 50

interface CheckoutOptions {
  config: Pick<Config, 'shop' | 'checkoutExpiresIn'>
  dots: DotsClient
  store: Store
  status: Status
  unsaved: UnsavedCheckouts
  now: () => Date
}

interface OpenedCheckout {
  checkoutId: string
  /** Where the buyer pays; it has passed the check of checkout URLs. */
  url: URL
  /** True if the browser was sent back to a checkout that it already had. */
  isReused: boolean
}

export type CheckoutService = ReturnType<typeof checkoutService>

/** Opens checkouts at Dots. */
export function checkoutService({ config, dots, store, status, unsaved, now }: CheckoutOptions) {
  const { checkouts } = store
  const { publicUrl } = config.shop

  /**
   * One click on a priced link: writes the row, opens a session at Dots, completes the row.
   *
   * The row is written before the call, so that a session can be found even if the answer of Dots is lost. If the store
   * fails, the checkout is opened all the same: the log and the session's metadata have what the row would have had. A
   * browser that has an open checkout for the same purchase is sent back to it. Two clicks of one browser at the same
   * moment create one session.
   *
   * `browserId`: the store's id of the browser.
   *
   * @throws AppError dots-… when there is no session to send the buyer to.
   */
  async function open(
    order: Order,
    { browserId, log }: { browserId: string; log: Log },
  ): Promise<OpenedCheckout> {
    const id = randomUUID()
    const request = sessionRequest(id, order, { publicUrl, expiresIn: config.checkoutExpiresIn })
    const checkout = newCheckout(id, order, request)
    // Never the email: the log may be stored longer than the buyer has agreed to.
    const details = { checkout: id, items: request.body.metadata.items, amountTotal: order.amountTotal }
    const write = <T>(work: () => Promise<T>, more: object = {}) =>
      optional(log, 'checkout.not-stored', work, { ...details, ...more })

    const key = { browserId, purchaseHash: purchaseHash(order) }
    const reservation = await write(() => reserveOrReuse(checkout, key, log))
    if (reservation?.reused !== undefined) return { ...reservation.reused, isReused: true }

    const { session, checkoutUrl } = await dots
      .createCheckoutSession(request.body)
      .catch(async (error: unknown) => {
        if (isDotsError(error)) {
          Object.assign(error.details, details)
          await write(() =>
            error.sessionMayExist
              ? checkouts.recordUnknown(id, error.code)
              : checkouts.recordFailed(id, error.code),
          )
        }
        throw error
      })
    const opened: OpenedSession = {
      sessionId: session.id,
      paymentIntentId: session.payment_intent_id,
      checkoutUrl: checkoutUrl.href,
      // The expiry that Dots returned, or the requested one if Dots returned none.
      expiresAt: session.expiry ?? new Date(now().getTime() + request.body.expires_in * 1000).toISOString(),
    }
    const outcome = await write(() => checkouts.recordOpen(id, opened), { session: session.id })
    if (outcome === 'unknown-checkout') {
      log.error(
        { event: 'checkout.not-stored', ...details, session: session.id, code: 'no-row' },
        'no row for the session of a click; continuing without it',
      )
    }
    if (reservation === undefined || outcome === undefined) {
      unsaved.add({ checkout, session: opened, createdAt: now().toISOString() })
    }
    return { checkoutId: id, url: checkoutUrl, isReused: false }
  }

  /**
   * Writes the row of the click; or returns the live checkout that the browser has for the same purchase.
   *
   * @throws StoreError; AppError dots-unavailable if this click waited for the first one, and the first one failed.
   */
  async function reserveOrReuse(
    checkout: NewCheckout,
    key: PurchaseKey,
    log: Log,
  ): Promise<{ reused?: { checkoutId: string; url: URL } }> {
    let tried: string | undefined
    // The second attempt is for a live checkout that turned out to be paid or expired, which is recorded by then.
    for (let attempt = 0; attempt < 2; attempt++) {
      const live = await checkouts.reserve(checkout, key)
      if (live === undefined) return {}
      const url = live.id === tried ? undefined : await reusableCheckoutUrl(live, log)
      if (url !== undefined) return { reused: { checkoutId: live.id, url } }
      tried = live.id
    }
    await checkouts.reserve(checkout)
    return {}
  }

  /** The URL to continue a live checkout; undefined if it can no longer be paid, according to Dots or the store. */
  async function reusableCheckoutUrl(live: Checkout, log: Log): Promise<URL | undefined> {
    const checkout = live.state === 'creating' ? await waitUntilOpen(live) : live
    if (checkout.state === 'complete') return undefined
    const url = checkout.checkoutUrl === null ? undefined : dots.checkUrl(checkout.checkoutUrl)
    if (now().getTime() - Date.parse(checkout.createdAt) < CHECK_AFTER_MS) return url
    const refreshed = await status.refresh(checkout, log)
    // If Dots does not answer, the buyer gets the known session, not a second one for the same purchase.
    return refreshed.status === 'unknown' ? url : refreshed.checkoutUrl
  }

  /** Waits for the first of two clicks. @throws AppError dots-unavailable if the first one failed. */
  async function waitUntilOpen({ id }: Checkout): Promise<Checkout> {
    const giveUpAt = performance.now() + DEADLINES_MS.click
    while (performance.now() < giveUpAt) {
      await sleep(POLL_MS)
      const checkout = await checkouts.find(id)
      if (checkout === undefined) break
      if (checkout.state === 'open' || checkout.state === 'complete') return checkout
      if (checkout.state !== 'creating') break
    }
    throw new AppError('dots-unavailable', { sessionMayExist: false, details: { waitedFor: id } })
  }

  return { open }
}

function newCheckout(id: string, order: Order, { merchantMetadata }: SessionRequest): NewCheckout {
  const { link, lines, amountTotal, currency } = order
  return {
    id,
    items: lines.map(({ product: { sku, name }, quantity, amount }) => ({ sku, name, quantity, amount })),
    amountTotal,
    currency,
    link: pathOf(link),
    linkId: link.linkId ?? null,
    clientReferenceId: link.parameters.clientReferenceId ?? null,
    customerEmail: link.parameters.email ?? null,
    metadata: merchantMetadata,
  }
}

/** The path and query that lead to the same purchase. Those of a signed link are unchanged: the signature covers them. */
function pathOf({ linkId, cart, items, parameters }: Link): string {
  if (linkId === undefined) return buyPath(cart)
  const query = formFields(parameters)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
  return `/buy/${formatItems(items)}?${query}`
}

/** The purchase as a hash: what is sold at which price, to whom, through which signed link. Attribution is not included. */
export function purchaseHash({ lines, link: { parameters, terms, linkId } }: Order): string {
  const items = lines.map(({ product, quantity, amount }) => [product.sku, quantity, amount])
  const { email, clientReferenceId, metadata } = parameters
  const purchase = [
    items,
    email,
    clientReferenceId,
    terms.customerId,
    terms.userId,
    Object.entries(metadata),
    linkId,
  ]
  return createHash('sha256').update(JSON.stringify(purchase)).digest('base64url')
}
