import { randomUUID } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import { salesLimit } from '../catalog/product.ts'
import type { DotsClient, OpenSession } from '../dots/client.ts'
import { DotsError } from '../dots/errors.ts'
import type { Cart } from '../links/cart.ts'
import type { Log } from '../log.ts'
import { merchantMetadata } from '../orders/session-metadata.ts'
import type { NewCheckout } from '../store/checkout.ts'
import { type CheckoutStore, StoreError } from '../store/store.ts'
import { NotForSaleError } from './errors.ts'
import { type PricedCart, priceCart } from './priced-cart.ts'
import { type Buyer, cartOf, sessionRequest } from './session-request.ts'

export interface StartCheckout {
  catalog: Catalog
  dots: DotsClient
  checkouts: CheckoutStore
  log: Log
  publicUrl: string
  /** Seconds. */
  expiresIn: number
  now: () => Date
  /** The way back to the same cart, as a path with query. */
  linkTo: (cart: Cart) => string
}

export interface StartedCheckout {
  checkoutId: string
  checkoutUrl: URL
}

/**
 * One click: prices the cart, writes the row, opens a session at Dots, completes the row.
 *
 * The row comes before the call, so that a session which nobody heard of again can be found by it. A store that fails
 * costs no sale: the facts then stand in the log and in the session's own metadata.
 *
 * @throws UnknownSkuError, NotForSaleError, QuantityError before anything was written or called;
 *   DotsError when there is no session to send the buyer to.
 */
export async function startCheckout(deps: StartCheckout, cart: Cart, buyer: Buyer): Promise<StartedCheckout> {
  const { catalog, checkouts, dots, log, now } = deps
  const priced = priceCart(catalog, cart, now())
  await refuseSoldOut(priced, checkouts, log)
  const checkoutId = randomUUID()
  const request = sessionRequest(priced, buyer, {
    checkoutId,
    publicUrl: deps.publicUrl,
    expiresIn: deps.expiresIn,
  })
  const checkout = newCheckout(checkoutId, priced, buyer, {
    link: deps.linkTo(cartOf(priced)),
    metadata: merchantMetadata(request.metadata),
  })
  // Never the email: a line of the log lives longer than a buyer's consent.
  const facts = { checkout: checkoutId, items: request.metadata.items, amountTotal: priced.amountTotal }
  const keep = (what: string, work: () => Promise<unknown>, more: object = {}) =>
    keepOrLog(work, log, { ...facts, ...more }, what)

  await keep('the click', () => checkouts.recordCreating(checkout))
  let opened: OpenSession
  try {
    opened = await dots.createCheckoutSession(request)
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
  await keep(
    'the session',
    () =>
      checkouts.recordOpen(checkoutId, {
        sessionId: session.id,
        paymentIntentId: session.payment_intent_id,
        checkoutUrl: checkoutUrl.href,
        expiresAt: expiryOf(session.expiry, request.expires_in, now()),
      }),
    { session: session.id },
  )
  return { checkoutId, checkoutUrl }
}

/**
 * Counts completed sales, never clicks: an open checkout may end unpaid. A store that cannot count stops no sale.
 *
 * @throws NotForSaleError for the first product whose sales have come to its limit.
 */
export async function refuseSoldOut(priced: PricedCart, checkouts: CheckoutStore, log: Log): Promise<void> {
  for (const { product } of priced.lines) {
    const limit = salesLimit(product)
    if (limit === undefined) continue
    try {
      if ((await checkouts.countSales(product.sku)) >= limit) throw new NotForSaleError(product, 'sold-out')
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      log.error({ sku: product.sku, code: error.code }, 'the store could not count sales; the sale goes on')
    }
  }
}

function newCheckout(
  id: string,
  priced: PricedCart,
  buyer: Buyer,
  { link, metadata }: Pick<NewCheckout, 'link' | 'metadata'>,
): NewCheckout {
  return {
    id,
    items: priced.lines.map(({ product, quantity }) => ({
      sku: product.sku,
      name: product.name,
      quantity,
      amount: product.amount,
    })),
    amountTotal: priced.amountTotal,
    currency: priced.currency,
    link,
    clientReferenceId: buyer.clientReferenceId ?? null,
    customerEmail: buyer.email ?? null,
    metadata,
  }
}

async function keepOrLog(work: () => Promise<unknown>, log: Log, facts: object, what: string): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log.error({ ...facts, code: error.code }, `the store could not keep ${what}; the sale goes on without it`)
  }
}

/** When the session ends: Dots' word where it is a time, our own wish otherwise. */
function expiryOf(expiry: string | undefined, expiresIn: number, now: Date): string {
  const told = expiry === undefined ? Number.NaN : Date.parse(expiry)
  return new Date(Number.isNaN(told) ? now.getTime() + expiresIn * 1000 : told).toISOString()
}
