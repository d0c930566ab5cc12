import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { DEADLINES_MS, type DotsClient } from '../dots/client.ts'
import { AppError, isDotsError, type Log } from '../errors.ts'
import { buyPath, formatItems, formatPermalink } from '../links/cart.ts'
import { formFields } from '../links/parameters.ts'
import type { Checkout, NewCheckout, OpenedSession, PurchaseKey } from '../store/checkout.ts'
import { CREATING_TIMEOUT_MS } from '../store/checkouts.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import type { Link } from './link.ts'
import type { Order } from './price.ts'
import { type SessionRequest, sessionRequest } from './session-request.ts'
import type { Status } from './status.ts'
import type { UnsavedCheckouts } from './unsaved-checkouts.ts'

/** A session older than this is checked at Dots before a buyer is sent back to it: it takes seconds to pay. */
const CHECK_AFTER_MS = 5_000
/** In characters. The server accepts no longer URL; a form can have more fields than fit into one. */
const MAX_LINK_LENGTH = 8_192
/** How often a process looks for the session that another process is creating. */
const POLL_MS = 250

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
  /** The clicks in progress by browser and purchase. */
  const opening = new Map<string, Promise<OpenedCheckout>>()

  /**
   * The checkout for one click on a priced link. Clicks of one browser for one purchase that overlap share one, or its
   * failure, and cost nothing while they wait.
   *
   * `browserId`: the store's id of the browser.
   *
   * @throws AppError dots-… when there is no session to send the buyer to.
   */
  async function open(
    order: Order,
    { browserId, log }: { browserId: string; log: Log },
  ): Promise<OpenedCheckout> {
    const key = { browserId, purchaseHash: purchaseHash(order) }
    const name = `${browserId} ${key.purchaseHash}`
    const first = opening.get(name)
    if (first !== undefined) return { ...(await first), isReused: true }
    const opened = openOne(order, key, log).finally(() => opening.delete(name))
    opening.set(name, opened)
    return opened
  }

  /**
   * Writes the row, opens a session at Dots, completes the row.
   *
   * The row is written before the call, so that a session can be found even if the answer of Dots is lost. If the store
   * fails, the checkout is opened all the same: the log and the session's metadata have what the row would have had. A
   * browser that has an open checkout for the same purchase is sent back to it.
   */
  async function openOne(order: Order, key: PurchaseKey, log: Log): Promise<OpenedCheckout> {
    const id = randomUUID()
    const request = sessionRequest(id, order, { publicUrl, expiresIn: config.checkoutExpiresIn })
    const checkout = newCheckout(id, order, request)
    // Never the email: the log may be stored longer than the buyer has agreed to.
    const details = { checkout: id, items: formatPermalink(order.link.cart), amountTotal: order.amountTotal }
    const write = <T>(work: () => Promise<T>, more: object = {}) =>
      optional(log, 'checkout.not-stored', work, { ...details, ...more })

    const reservation = await write(() => reserveOrReuse(checkout, key, log))
    if (reservation?.reused !== undefined) return { ...reservation.reused, isReused: true }

    const { session, checkoutUrl } = await dots
      .createCheckoutSession(request.body)
      .catch(async (error: unknown) => {
        if (isDotsError(error)) {
          Object.assign(error.details, details)
          const record = () =>
            error.sessionMayExist
              ? checkouts.recordUnknown(id, error.code)
              : checkouts.recordFailed(id, error.code)
          if (reservation !== undefined) await write(record)
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
    // Without a row there is nothing to update, and a buyer waits for a locked database once at the most.
    const outcome =
      reservation === undefined
        ? 'unknown-checkout'
        : await write(() => checkouts.recordOpen(id, opened), { session: session.id })
    if (outcome === 'unknown-checkout') {
      log.error(
        { event: 'checkout.not-stored', ...details, session: session.id, code: 'no-row' },
        'no row for the session of a click; continuing without it',
      )
    }
    if (reservation === undefined || outcome === undefined) {
      unsaved.add({ checkout: { ...checkout, ...key }, session: opened, createdAt: now().toISOString() })
    }
    return { checkoutId: id, url: checkoutUrl, isReused: false }
  }

  /**
   * Writes the row of the click; or returns the live checkout that the browser has for the same purchase.
   *
   * @throws StoreError; AppError dots-unavailable if this click waited for that of another process, and that one failed.
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
    if (checkout.state !== 'open') return undefined
    const url = checkout.checkoutUrl === null ? undefined : dots.checkUrl(checkout.checkoutUrl)
    const age = now().getTime() - Date.parse(checkout.createdAt)
    // A time in the future says nothing of the age.
    if (age >= 0 && age < CHECK_AFTER_MS) return url
    const refreshed = await status.refresh(checkout, log)
    // If Dots does not answer, the buyer gets the known session, not a second one for the same purchase.
    return refreshed.status === 'unknown' ? url : refreshed.checkoutUrl
  }

  /**
   * Waits for the click of another process, until it has opened a session, or cannot do so any more.
   *
   * @throws StoreError; AppError dots-unavailable if it failed.
   */
  async function waitUntilOpen({ id }: Checkout): Promise<Checkout> {
    const giveUpAt = performance.now() + DEADLINES_MS.click
    while (performance.now() < giveUpAt) {
      await sleep(POLL_MS)
      const checkout = await status.find(id)
      if (checkout === undefined) break
      if (checkout.state === 'open' || checkout.state === 'complete') return checkout
      if (checkout.state !== 'creating') break
      // The other process has died.
      if (now().getTime() - Date.parse(checkout.createdAt) >= CREATING_TIMEOUT_MS) return checkout
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
    link: linkAsItCame(link),
    linkId: link.linkId ?? null,
    linkUses: link.terms.uses ?? null,
    clientReferenceId: link.parameters.clientReferenceId ?? null,
    customerEmail: link.parameters.email ?? null,
    metadata: merchantMetadata,
  }
}

/** The path and query of a link, with all that a signature covers, the attribution and the signature. */
function linkAsItCame({ cart, items, parameters }: Link): string {
  const query = formFields(parameters)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
  const link = `/buy/${formatItems(items)}${query && `?${query}`}`
  return link.length <= MAX_LINK_LENGTH ? link : buyPath(cart)
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
