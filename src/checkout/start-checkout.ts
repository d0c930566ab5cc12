import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '../catalog/catalog.ts'
import { DEADLINES_MS, type DotsClient, type OpenSession } from '../dots/client.ts'
import { DotsError, DotsUnavailableError } from '../dots/errors.ts'
import type { Log } from '../log.ts'
import { merchantMetadata } from '../orders/session-metadata.ts'
import type { SettleCheckout } from '../orders/settle-checkout.ts'
import type { Checkout, NewCheckout } from '../store/checkout.ts'
import { type CheckoutStore, type OpenedSession, StoreError, type Visit } from '../store/store.ts'
import type { Click } from './click.ts'
import { type PricedCart, priceCart } from './priced-cart.ts'
import { sessionRequest } from './session-request.ts'
import { refuseSpent } from './spent.ts'
import { standingOf } from './standing.ts'
import type { UnkeptClicks } from './unkept-clicks.ts'

/** Within its first minute a session is open for sure; after that Dots is asked before a buyer is sent back to it. */
const SURELY_OPEN_MS = 60_000
/** How often a second click looks whether the first one has its session. */
const LOOK_MS = 50

export interface StartCheckout {
  catalog: Catalog
  dots: DotsClient
  checkouts: CheckoutStore
  settle: SettleCheckout
  log: Log
  publicUrl: string
  /** Seconds. */
  expiresIn: number
  now: () => Date
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
 * One click: prices the cart, writes the row, opens a session at Dots, completes the row.
 *
 * The row comes before the call, so that a session which nobody heard of again can be found by it. A store that fails
 * costs no sale: the facts then stand in the log and in the session's own metadata. A browser that has an open checkout
 * for the same purchase is led back to it, and two clicks of it at the same moment make one session.
 *
 * @throws UnknownSkuError, NotForSaleError, QuantityError, LinkEndedError before anything was written or called;
 *   DotsError when there is no session to send the buyer to.
 */
export async function startCheckout(deps: StartCheckout, click: Click): Promise<StartedCheckout> {
  const { catalog, checkouts, log, now, browser } = deps
  const priced = priceCart(catalog, click.cart, now(), click.terms.amount)
  await refuseSpent(priced, click, checkouts, log)
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
    if (before !== undefined) return before
  }

  let opened: OpenSession
  try {
    opened = await deps.dots.createCheckoutSession(request)
  } catch (error) {
    if (error instanceof DotsError) {
      Object.assign(error.facts, facts)
      await keep('the failure', () =>
        error.trace === 'none'
          ? checkouts.recordFailed(checkoutId, error.code)
          : checkouts.recordUnknown(checkoutId, error.code),
      )
    }
    throw error
  }
  const { session, checkoutUrl } = opened
  const openedSession: OpenedSession = {
    sessionId: session.id,
    paymentIntentId: session.payment_intent_id,
    checkoutUrl: checkoutUrl.href,
    expiresAt: expiryOf(session.expiry, request.expires_in, now()),
  }
  await keep('the session', () => checkouts.recordOpen(checkoutId, openedSession), { session: session.id })
  if (!isKept) deps.unkept.remember({ checkout, session: openedSession, createdAt: now().toISOString() })
  return { checkoutId, checkoutUrl, isSame: false }
}

/** Writes the row of the click; or, where the browser has a live checkout for the same purchase, the way back to it. */
async function recordOrReturn(
  deps: StartCheckout,
  checkout: NewCheckout,
  visit: Visit,
): Promise<StartedCheckout | undefined> {
  let live = await deps.checkouts.recordClick(checkout, visit)
  if (live === undefined) return undefined
  const checkoutUrl = await wayBack(deps, live)
  if (checkoutUrl !== undefined) return { checkoutId: live.id, checkoutUrl, isSame: true }
  // Paid or ended in the meantime, and written down as that: this click is a new purchase, and the next one's way back.
  const gone = live.id
  live = await deps.checkouts.recordClick(checkout, visit)
  if (live === undefined) return undefined
  // Another click of the same browser was quicker, and its session is new.
  const other = live.id === gone ? undefined : await wayBack(deps, live)
  if (other !== undefined) return { checkoutId: live.id, checkoutUrl: other, isSame: true }
  await deps.checkouts.recordCreating(checkout)
  return undefined
}

/** Where the live checkout can be gone on with; undefined where Dots says that it cannot. */
async function wayBack(deps: StartCheckout, live: Checkout): Promise<URL | undefined> {
  const { dots, now, settle } = deps
  const checkout = live.state === 'creating' ? await whenOpen(deps, live) : live
  const url = checkout.checkoutUrl === null ? undefined : dots.checkUrl(checkout.checkoutUrl)
  if (now().getTime() - Date.parse(checkout.createdAt) < SURELY_OPEN_MS) return url
  const standing = await standingOf({ dots, settle }, checkout)
  if (standing.state === 'open') return standing.checkoutUrl
  // While Dots cannot be asked, the session that is known beats a second one for the same purchase.
  return standing.state === 'unconfirmed' ? url : undefined
}

/** Waits for the first of two clicks. @throws DotsUnavailableError when that one came to nothing. */
async function whenOpen({ checkouts }: StartCheckout, { id }: Checkout): Promise<Checkout> {
  const giveUpAt = performance.now() + DEADLINES_MS.click
  while (performance.now() < giveUpAt) {
    await sleep(LOOK_MS)
    const checkout = await checkouts.find(id)
    if (checkout === undefined) break
    if (checkout.state === 'open' || checkout.state === 'complete') return checkout
    if (checkout.state !== 'creating') break
  }
  throw new DotsUnavailableError('none', { facts: { waitedFor: id } })
}

/** The purchase as a hash: what is sold at which price, to whom, through which signed link. Attribution is no part. */
function fingerprintOf(priced: PricedCart, { buyer, linkId }: Click): string {
  const lines = priced.lines.map(({ product, quantity, amount }) => [product.sku, quantity, amount])
  const { email, clientReferenceId, customerId, userId, metadata } = buyer
  const purchase = [lines, email, clientReferenceId, customerId, userId, Object.entries(metadata), linkId]
  return createHash('sha256').update(JSON.stringify(purchase)).digest('base64url')
}

/** When the session ends: Dots' word where it is a time, our own wish otherwise. */
function expiryOf(expiry: string | undefined, expiresIn: number, now: Date): string {
  const told = expiry === undefined ? Number.NaN : Date.parse(expiry)
  return new Date(Number.isNaN(told) ? now.getTime() + expiresIn * 1000 : told).toISOString()
}
