import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINES_MS, type DotsClient } from '../dots/client.ts'
import { AppError } from '../errors.ts'
import type { SettleCheckout } from '../orders/settle-checkout.ts'
import type { Checkout, NewCheckout } from '../store/checkout.ts'
import type { CheckoutStore, Visit } from '../store/store.ts'
import type { Click } from './click.ts'
import type { PricedCart } from './priced-cart.ts'
import { standingOf } from './standing.ts'

/**
 * A session older than this is asked after at Dots before a buyer is sent back to it. A younger one is not, since people
 * click twice within seconds; one that was paid meanwhile, without the shop having heard of it, is gone back to as well.
 */
const ASKED_AFTER_MS = 60_000
/** How often a second click looks whether the first one has its session. */
const LOOK_MS = 50

export interface SecondClick {
  dots: DotsClient
  checkouts: CheckoutStore
  settle: SettleCheckout
  now: () => Date
}

/** A checkout that the browser has already, and where it is gone on with. */
export interface SameCheckout {
  checkoutId: string
  checkoutUrl: URL
}

/**
 * Writes the row of the click; or, where the browser has a live checkout for the same purchase, the way back to it.
 *
 * @throws StoreError; AppError dots-unavailable where this click waited for the first one, which came to nothing.
 */
export async function recordOrReturn(
  deps: SecondClick,
  checkout: NewCheckout,
  visit: Visit,
): Promise<SameCheckout | undefined> {
  let live = await deps.checkouts.recordClick(checkout, visit)
  if (live === undefined) return undefined
  const checkoutUrl = await wayBack(deps, live)
  if (checkoutUrl !== undefined) return { checkoutId: live.id, checkoutUrl }
  // Paid or ended in the meantime, and written down as that: this click is a new purchase, and the next one's way back.
  const gone = live.id
  live = await deps.checkouts.recordClick(checkout, visit)
  if (live === undefined) return undefined
  // Another click of the same browser was quicker, and its session is new.
  const other = live.id === gone ? undefined : await wayBack(deps, live)
  if (other !== undefined) return { checkoutId: live.id, checkoutUrl: other }
  await deps.checkouts.recordCreating(checkout)
  return undefined
}

/** Where the live checkout can be gone on with; undefined where Dots says, or the store knows, that it cannot. */
async function wayBack(deps: SecondClick, live: Checkout): Promise<URL | undefined> {
  const { dots, now, settle } = deps
  const checkout = live.state === 'creating' ? await whenOpen(deps, live) : live
  if (checkout.state === 'complete') return undefined
  const url = checkout.checkoutUrl === null ? undefined : dots.checkUrl(checkout.checkoutUrl)
  if (now().getTime() - Date.parse(checkout.createdAt) < ASKED_AFTER_MS) return url
  const standing = await standingOf({ dots, settle }, checkout)
  if (standing.state === 'open') return standing.checkoutUrl
  // While Dots cannot be asked, the session that is known beats a second one for the same purchase.
  return standing.state === 'unconfirmed' ? url : undefined
}

/** Waits for the first of two clicks. @throws AppError dots-unavailable when that one came to nothing. */
async function whenOpen({ checkouts }: SecondClick, { id }: Checkout): Promise<Checkout> {
  const giveUpAt = performance.now() + DEADLINES_MS.click
  while (performance.now() < giveUpAt) {
    await sleep(LOOK_MS)
    const checkout = await checkouts.find(id)
    if (checkout === undefined) break
    if (checkout.state === 'open' || checkout.state === 'complete') return checkout
    if (checkout.state !== 'creating') break
  }
  throw new AppError('dots-unavailable', { sessionMayExist: false, details: { waitedFor: id } })
}

/** The purchase as a hash: what is sold at which price, to whom, through which signed link. Attribution is no part. */
export function fingerprintOf(priced: PricedCart, { buyer, linkId }: Click): string {
  const lines = priced.lines.map(({ product, quantity, amount }) => [product.sku, quantity, amount])
  const { email, clientReferenceId, customerId, userId, metadata } = buyer
  const purchase = [lines, email, clientReferenceId, customerId, userId, Object.entries(metadata), linkId]
  return createHash('sha256').update(JSON.stringify(purchase)).digest('base64url')
}
