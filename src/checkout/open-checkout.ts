import type { Config } from '../config.ts'
import type { DotsClient } from '../dots/client.ts'
import { isDotsError, type Log } from '../errors.ts'
import { newCheckoutId } from '../orders/session-metadata.ts'
import { type Checkout, clickValues, type OpenedSession, type PurchaseKey } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import type { HandedOut } from '../store/warm-sessions.ts'
import type { Order } from './price.ts'
import { type Purchase, purchases } from './purchase.ts'
import { merchantPart } from './session-request.ts'
import type { Status } from './status.ts'
import type { UnsavedCheckouts } from './unsaved-checkouts.ts'
import type { WarmCheckouts } from './warm-checkouts.ts'
import type { Offer } from './warm-offers.ts'

/** A session older than this is checked at Dots before a buyer is sent back to it: it takes seconds to pay. */
const CHECK_AFTER_MS = 5_000

interface CheckoutOptions {
  config: Pick<Config, 'shop' | 'checkoutExpiresIn'>
  dots: DotsClient
  store: Store
  status: Status
  unsaved: UnsavedCheckouts
  warm: WarmCheckouts
  now: () => Date
}

interface OpenedCheckout {
  checkoutId: string
  /** Where the buyer pays; it has passed the check of checkout URLs. */
  url: URL
  /** `reused`: the browser was sent back to a checkout that it already had. `warm`: it was made ahead of the click. */
  origin: 'new' | 'reused' | 'warm'
}

export type CheckoutService = ReturnType<typeof checkoutService>

/** Opens checkouts at Dots. */
export function checkoutService({ config, dots, store, status, unsaved, warm, now }: CheckoutOptions) {
  const { checkouts } = store
  const purchaseOf = purchases({ publicUrl: config.shop.publicUrl, expiresIn: config.checkoutExpiresIn })
  /** The clicks in progress by browser and purchase. */
  const opening = new Map<string, Promise<OpenedCheckout>>()

  /**
   * The checkout for one click on a priced link. Clicks of one browser for one purchase that overlap share one, or its
   * failure, and cost nothing while they wait.
   *
   * `browserId`: the store's id of the browser. `isNewBrowser`: it gets its cookie with the answer, so no other click can
   * be its own.
   *
   * @throws AppError dots-… when there is no session to send the buyer to.
   */
  function open(
    order: Order,
    { browserId, isNewBrowser, log }: { browserId: string; isNewBrowser: boolean; log: Log },
  ): Promise<OpenedCheckout> {
    const purchase = purchaseOf(order)
    const key = { browserId, purchaseHash: purchase.hash }
    const offer = warm.offerOf(order)
    if (isNewBrowser) {
      // Without an offer the store has nothing for it.
      return offer === undefined
        ? openNew(purchase, key, log)
        : takeOrOpen(order, purchase, key, { offer, mayHaveOne: false, log })
    }
    const name = `${browserId} ${key.purchaseHash}`
    const first = opening.get(name)
    if (first !== undefined) return first.then((opened) => ({ ...opened, origin: 'reused' }))
    const opened = reuseOrOpen(order, purchase, key, { offer, log }).finally(() => opening.delete(name))
    opening.set(name, opened)
    return opened
  }

  /** A browser that has an open checkout for the same purchase is sent back to it. */
  async function reuseOrOpen(
    order: Order,
    purchase: Purchase,
    key: PurchaseKey,
    { offer, log }: { offer: Offer | undefined; log: Log },
  ): Promise<OpenedCheckout> {
    await optional(log, 'checkout.not-read', () => unsaved.saveOf(key.browserId, store))
    return takeOrOpen(order, purchase, key, { offer, mayHaveOne: true, log })
  }

  /**
   * Gives the buyer a session that was made ahead, where there is one, or else opens one. `mayHaveOne`: the browser may
   * have a checkout already, which comes first.
   */
  async function takeOrOpen(
    order: Order,
    purchase: Purchase,
    key: PurchaseKey,
    { offer, mayHaveOne, log }: { offer: Offer | undefined; mayHaveOne: boolean; log: Log },
  ): Promise<OpenedCheckout> {
    const known = await optional(log, 'checkout.not-read', async (): Promise<HandedOut | undefined> => {
      if (offer !== undefined) {
        const metadata = merchantPart(order, offer.ownKeys)
        const createdAt = now().toISOString()
        const click = clickValues({ ...purchase.checkout, metadata, ...key, createdAt })
        return store.warm.handOut(offer.hash, click, mayHaveOne ? key : undefined)
      }
      return { reused: await checkouts.findReusable(key) }
    })
    if (known?.reused !== undefined) {
      const url = await reusableCheckoutUrl(known.reused, log)
      if (url !== undefined) return { checkoutId: known.reused.id, url, origin: 'reused' }
    }
    if (offer !== undefined) warm.countClick(offer)
    const taken = known?.taken
    const url = taken && dots.checkUrl(taken.checkoutUrl)
    return url ? { checkoutId: taken.id, url, origin: 'warm' } : openNew(purchase, key, log)
  }

  /**
   * Opens a session at Dots, and writes its row before the buyer is sent to it. A process that dies during the call has
   * sent nobody anywhere, and the backfill restores the row from the session's metadata.
   *
   * If the store fails, the buyer is sent to the session all the same: the log and the metadata have what the row would
   * have had.
   */
  async function openNew(purchase: Purchase, key: PurchaseKey, log: Log): Promise<OpenedCheckout> {
    const startedAt = now()
    const id = newCheckoutId(startedAt)
    const createdAt = startedAt.toISOString()
    const { body, expiresIn, merchantMetadata } = purchase.requestOf(id)
    const checkout = { id, ...purchase.checkout, metadata: merchantMetadata, ...key }
    // Never the email: the log may be stored longer than the buyer has agreed to.
    const details = { checkout: id, items: purchase.items, amountTotal: checkout.amountTotal }
    const write = (work: () => Promise<boolean>, more: object = {}) =>
      optional(log, 'checkout.not-stored', work, { ...details, ...more })

    let created: Awaited<ReturnType<typeof dots.createCheckoutSession>>
    try {
      created = await dots.createCheckoutSession(body)
    } catch (error) {
      if (isDotsError(error)) {
        Object.assign(error.details, details)
        const state = error.sessionMayExist ? 'unknown' : 'failed'
        // The buyer does not wait for it.
        void write(() => checkouts.recordUnopened(checkout, { state, reason: error.code }, createdAt))
      }
      throw error
    }
    const { session, checkoutUrl } = created
    const opened: OpenedSession = {
      sessionId: session.id,
      paymentIntentId: session.payment_intent_id,
      checkoutUrl: checkoutUrl.href,
      // The expiry that Dots returned, or the requested one if Dots returned none.
      expiresAt: session.expiry ?? new Date(now().getTime() + expiresIn * 1000).toISOString(),
    }
    const written = await write(() => checkouts.recordOpened(checkout, opened, createdAt), {
      session: session.id,
    })
    if (written === undefined) unsaved.add({ checkout, session: opened, createdAt })
    return { checkoutId: id, url: checkoutUrl, origin: 'new' }
  }

  /** The URL to continue a live checkout; undefined if it can no longer be paid, according to Dots or the store. */
  async function reusableCheckoutUrl(live: Checkout, log: Log): Promise<URL | undefined> {
    const url = live.checkoutUrl === null ? undefined : dots.checkUrl(live.checkoutUrl)
    const age = now().getTime() - Date.parse(live.createdAt)
    // A time in the future says nothing of the age.
    if (age >= 0 && age < CHECK_AFTER_MS) return url
    const refreshed = await status.refresh(live, log)
    // If Dots does not answer, the buyer gets the known session, not a second one for the same purchase.
    return refreshed.status === 'unknown' ? url : refreshed.checkoutUrl
  }

  return { open }
}
