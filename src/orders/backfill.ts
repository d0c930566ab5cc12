import type { Catalog } from '../catalog/catalog.ts'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import { DEFAULT_CURRENCY } from '../catalog/product.ts'
import type { Config } from '../config.ts'
import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { AppError, hasCode, type Log } from '../errors.ts'
import { buyPath, type Cart } from '../links/cart.ts'
import type { Checkout, SoldItem } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import type { BackfillCursor, Lease } from './lease.ts'
import { type OwnMetadata, readMerchantMetadata, readOwnMetadata } from './session-metadata.ts'
import { announcementState, type Settle } from './settle.ts'

/** Longer than any click lasts: before that there is nothing to find of it, and its row is left to it. */
export const AFTER_CLICK_MS = 60_000
/** By then a session that was made is in Dots' list; what is not found there was never made. */
const FAIL_UNRESOLVED_MS = 3_600_000
/** Sessions on a page of Dots' list: the most that it gives. */
const PAGE = 100
/** Rows given up at once; the next run takes the rest. */
const BATCH = 1_000

interface BackfillOptions {
  config: Pick<Config, 'fulfillment' | 'shop'>
  catalog: Pick<LiveCatalog, 'current'>
  store: Store
  dots: DotsClient
  settle: Settle
  lease: Lease
  log: Log
  now: () => Date
}

/** How a backfill is going: sessions seen, and what was done about them. */
export interface BackfillProgress {
  sessions: number
  settled: number
  restored: number
  /** Complete before the store was created: in the outbox, and not announced by themselves. */
  held: number
  /** Held by an earlier backfill, and announced now. */
  released: number
}

export interface BackfillRun {
  /** Announces also the orders that are held because they may have been announced before. */
  announceRestored?: boolean
  onProgress?: (progress: Readonly<BackfillProgress>) => void
  /** Called with each cursor from which the backfill could be continued. */
  saveCursor?: (cursor: BackfillCursor) => Promise<void>
}

export type Backfill = ReturnType<typeof backfillService>

/** Reads Dots' list of sessions, settles what it finds there, and restores what the store has lost. */
export function backfillService(options: BackfillOptions) {
  const { config, catalog, store, dots, settle, lease, log, now } = options
  const { checkouts, outbox, events } = store
  const canAnnounce = announcementState({ isHeld: false }, config) === 'pending'

  /**
   * Goes through the list from `from` on. True at its end; false when it was stopped.
   *
   * @throws StoreError; AppError dots-…
   */
  async function run(
    from: BackfillCursor,
    signal: AbortSignal,
    { announceRestored = false, onProgress, saveCursor }: BackfillRun = {},
  ): Promise<boolean> {
    const progress: BackfillProgress = { sessions: 0, settled: 0, restored: 0, held: 0, released: 0 }
    let cursor: BackfillCursor | undefined = from
    while (cursor !== undefined) {
      if (!(await lease.nextCall(signal))) return false
      const page = await readPage(cursor, saveCursor)
      const ours = page.sessions.flatMap((session) => {
        const own = readOwnMetadata(session)
        return own === undefined ? [] : [{ session, own }]
      })
      const rows = await checkouts.findMany(ours.map(({ own }) => own.checkoutId))
      const known = new Map(rows.map((checkout) => [checkout.id, checkout]))
      for (const { session, own } of ours) {
        await reconcileSession(session, own, known.get(own.checkoutId), { announceRestored, progress })
      }
      progress.sessions += page.sessions.length
      onProgress?.(progress)
      cursor = page.next
      if (cursor !== undefined) await saveCursor?.(cursor)
    }
    return true
  }

  /**
   * The next page, and the cursor after it: undefined where the list ends, or where it is seen to run from new to old
   * and has come to what is of no interest. The order is not documented, so a list that runs the other way is read to
   * its end.
   */
  async function readPage(cursor: BackfillCursor, saveCursor: BackfillRun['saveCursor']) {
    const { since, startedAt, startingAfter } = cursor
    const { sessions, hasMore } = await dots
      .listCheckoutSessions({ limit: PAGE, startingAfter })
      .catch(async (error: unknown) => {
        // A session to continue after that Dots does not know any more: the next run begins at the top again.
        if (hasCode(error, 'dots-request-refused', 'dots-not-found') && startingAfter !== undefined) {
          await saveCursor?.({ since, startedAt })
        }
        throw error
      })
    const lastId = sessions.at(-1)?.id
    // The same page for ever would never end, and must not pass for the end of the list.
    if (hasMore && lastId !== undefined && lastId === startingAfter) {
      throw new AppError('dots-invalid-response', { details: { list: 'the next page repeats this one' } })
    }
    if (!hasMore || isPast(sessions, since)) return { sessions, next: undefined }
    // There is more, and no way to it: to take this for the end would give up checkouts that nobody has looked for.
    if (lastId === undefined) {
      throw new AppError('dots-invalid-response', { details: { list: 'the last session has no id' } })
    }
    return { sessions, next: { since, startedAt, startingAfter: lastId } }
  }

  async function reconcileSession(
    session: Session,
    own: OwnMetadata,
    known: Checkout | undefined,
    { announceRestored, progress }: { announceRestored: boolean; progress: BackfillProgress },
  ): Promise<void> {
    if (known?.state === 'complete') {
      await settle(known, session, log)
      if (announceRestored && canAnnounce && (await outbox.release(known.id))) progress.released += 1
      return
    }
    if (known?.state === 'expired' && session.status === 'expired') return
    // A click that is under way knows better which of its attempts has led the buyer somewhere.
    const clickEnd = new Date(now().getTime() - AFTER_CLICK_MS).toISOString()
    if (known?.state === 'creating' && known.createdAt > clickEnd) return
    if (known === undefined) {
      if (!isOurs(session)) return
      const isHeld = session.status === 'complete' && !announceRestored && !(await wasNeverAnnounced(session))
      await restore(session, own, isHeld)
      progress.restored += 1
      if (isHeld && canAnnounce) progress.held += 1
    }
    if (known === undefined || known.sessionId === null) {
      await checkouts.recordFound(own.checkoutId, {
        sessionId: session.id,
        paymentIntentId: session.payment_intent_id,
        checkoutUrl: session.checkout_session_url,
        expiresAt: session.expiry ?? now().toISOString(),
      })
    }
    if (session.status !== 'complete' && session.status !== 'expired') return
    const checkout = await checkouts.find(own.checkoutId)
    if (checkout === undefined || checkout.state === 'complete') return
    await settle(checkout, session, log)
    progress.settled += 1
  }

  /** Whether a session that the store does not know was opened by this shop: several may share one Dots app. */
  function isOurs({ success_url: url }: Session): boolean {
    return url === undefined || URL.parse(url)?.origin === config.shop.publicUrl
  }

  /**
   * Whether a restored order that is complete was surely not announced before: it was opened or heard of since this
   * store was created, so only a fault kept it out. The orders of a lost store may have been announced from there.
   */
  async function wasNeverAnnounced(session: Session): Promise<boolean> {
    if (Date.parse(session.created ?? '') >= Date.parse(store.createdAt)) return true
    const ids = [session.id, session.payment_intent_id].filter((id) => id !== undefined)
    return events.hasPending(ids)
  }

  /** Writes the checkout of a session that the store has lost, from what the session itself carries. */
  async function restore(session: Session, own: OwnMetadata, isHeld: boolean): Promise<void> {
    const checkout = {
      id: own.checkoutId,
      items: soldItems(catalog.current, own.cart, own.amountTotal),
      amountTotal: own.amountTotal,
      // Sessions carry no currency, so it is that of the products today.
      currency: catalog.current.find(own.cart[0]?.sku ?? '')?.currency ?? DEFAULT_CURRENCY,
      link: buyPath(own.cart),
      linkId: own.linkId ?? null,
      clientReferenceId: session.client_reference_id ?? null,
      customerEmail: session.customer_email ?? null,
      metadata: readMerchantMetadata(session),
    }
    await checkouts.recordRestored(checkout, session.created ?? store.createdAt, isHeld)
  }

  /**
   * Fails what is still unresolved after a whole backfill, lies within it and is an hour old: it was never made. What is
   * older than the backfill went back stays for one that goes further. @throws StoreError
   */
  async function failUnresolved({ since, startedAt }: BackfillCursor): Promise<void> {
    const before = new Date(Date.parse(startedAt) - FAIL_UNRESOLVED_MS).toISOString()
    for (const { id, createdAt } of await checkouts.unresolved(before, BATCH)) {
      if (createdAt >= since) await checkouts.recordFailed(id, 'never-opened')
    }
  }

  return { run, failUnresolved }
}

function isPast(sessions: readonly Session[], since: string): boolean {
  const times = sessions.map(({ created }) => Date.parse(created ?? ''))
  const isNewestFirst = times.every((time, index) => index === 0 || time <= (times[index - 1] ?? Number.NaN))
  const [first = Number.NaN] = times
  const last = times.at(-1) ?? Number.NaN
  // Sessions of one moment say nothing of the order.
  return isNewestFirst && first > last && last < Date.parse(since)
}

/**
 * What was sold, as far as it can still be told from skus, quantities and the total (cents) that was asked. One
 * product's price follows from the total; several products' prices are today's only where these come to that total.
 */
function soldItems(catalog: Catalog, cart: Cart, amountTotal: number): SoldItem[] {
  const lines = cart.map(({ sku, quantity }) => ({ sku, quantity, product: catalog.find(sku) }))
  const today = lines.reduce(
    (sum, { product, quantity }) => sum + (product?.amount ?? Number.NaN) * quantity,
    0,
  )
  return lines.map(({ sku, quantity, product }) => {
    const single = lines.length === 1 && amountTotal % quantity === 0 ? amountTotal / quantity : null
    return {
      sku,
      name: product?.name ?? sku,
      quantity,
      amount: today === amountTotal && product !== undefined ? product.amount : single,
    }
  })
}
