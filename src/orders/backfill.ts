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
import type { Settle } from './settle.ts'

/** Longer than any click takes. A row younger than this is not touched, since its click may still be in progress. */
export const AFTER_CLICK_MS = 60_000
/** If a session is not in Dots' list after this time, it was never created. */
const FAIL_UNRESOLVED_MS = 3_600_000
/** Sessions on a page of Dots' list: the maximum that the API allows. */
const PAGE = 100
/** Maximum number of rows that one run sets to `failed`; the next run continues. */
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
  /** Restored orders that may have been announced before: they are in the outbox, but are not sent. */
  held: number
  /** Held by an earlier backfill, and announced now. */
  released: number
}

interface BackfillRun {
  /** Announces also the orders that are held because they may have been announced before. */
  announceRestored?: boolean
  onProgress?: (progress: Readonly<BackfillProgress>) => void
  /** Called with a new cursor after each page, so that a later run can continue there. */
  saveCursor?: (cursor: BackfillCursor) => Promise<void>
}

export type Backfill = ReturnType<typeof backfillService>

/** Reads Dots' list of sessions, settles what it finds there, and restores what the store has lost. */
export function backfillService(options: BackfillOptions) {
  const { config, catalog, store, dots, settle, lease, log, now } = options
  const { checkouts, outbox, events } = store
  const canAnnounce = config.fulfillment !== undefined

  /**
   * Reads the list, starting at `from`. True if it was read to its end; false if it was stopped.
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
   * The next page, and the cursor after it: undefined at the end of the list, or if the list is sorted from new to old
   * and this page reaches sessions older than `since`. The order is not documented, so a list in the other order is read
   * to its end.
   */
  async function readPage(cursor: BackfillCursor, saveCursor: BackfillRun['saveCursor']) {
    const { since, startedAt, startingAfter } = cursor
    const { sessions, hasMore } = await dots
      .listCheckoutSessions({ limit: PAGE, startingAfter })
      .catch(async (error: unknown) => {
        // Dots no longer knows the session that the cursor names: the next run starts at the top of the list.
        if (hasCode(error, 'dots-request-refused', 'dots-not-found') && startingAfter !== undefined) {
          await saveCursor?.({ since, startedAt })
        }
        throw error
      })
    const lastId = sessions.at(-1)?.id
    // A list that repeats a page would never end. It must not count as complete either.
    if (hasMore && lastId !== undefined && lastId === startingAfter) {
      throw new AppError('dots-invalid-response', { details: { list: 'the next page repeats this one' } })
    }
    if (!hasMore || isPast(sessions, since)) return { sessions, next: undefined }
    // The next page cannot be requested. If this counted as the end, checkouts on it would be set to `failed`.
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
    // The click may be in progress: only the click knows which session the buyer gets.
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
   * Whether a restored complete order was certainly not announced before: its session was created after this database,
   * or a pending webhook names it. Older orders may have been announced from a lost database.
   */
  async function wasNeverAnnounced(session: Session): Promise<boolean> {
    if (Date.parse(session.created ?? '') >= Date.parse(store.createdAt)) return true
    const ids = [session.id, session.payment_intent_id].filter((id) => id !== undefined)
    return events.hasPending(ids)
  }

  /** Writes the row that the store has lost, from the session and its metadata. */
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
   * After a complete backfill, sets unresolved checkouts to `failed` if they are an hour old and not older than `since`:
   * their sessions were never created. Older ones are left to a backfill that starts earlier. @throws StoreError
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
  // If all times are equal, the order is not known.
  return isNewestFirst && first > last && last < Date.parse(since)
}

/**
 * The sold items, from skus, quantities and the requested total (cents). Prices are those of the current catalog if they
 * add up to the total. Otherwise the price of a single product is computed from the total, and several prices are null.
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
