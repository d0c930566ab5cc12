import type { Catalog } from '../catalog/catalog.ts'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import { DEFAULT_CURRENCY } from '../catalog/product.ts'
import type { Config } from '../config.ts'
import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { hasCode, type Log } from '../errors.ts'
import { buyPath, type Cart } from '../links/cart.ts'
import type { Checkout, SoldItem } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import type { BackfillCursor, Lease } from './lease.ts'
import { inBatches, nextTurn } from './loop.ts'
import { readPage } from './session-list.ts'
import { type OwnMetadata, readMerchantMetadata, readOwnMetadata } from './session-metadata.ts'
import type { Settle } from './settle.ts'

/**
 * Three times what any click takes. A row younger than this is not touched, since its click may still be in progress. The
 * backfill at a start, and its repetition after this time, meet within a minute what a killed process has left.
 */
export const AFTER_CLICK_MS = 30_000
/** If a session is not in Dots' list after this time, it was never created. */
const FAIL_UNRESOLVED_MS = 3_600_000

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
  /** Left alone, since their clicks may be in progress. */
  inProgress: number
}

export function noProgress(): BackfillProgress {
  return { sessions: 0, settled: 0, restored: 0, held: 0, released: 0, inProgress: 0 }
}

interface BackfillRun {
  /** Announces also the orders that are held because they may have been announced before. */
  announceRestored?: boolean
  onProgress?: (progress: Readonly<BackfillProgress>) => void
  /** Called with a new cursor after each page, so that a later run can continue there. */
  saveCursor?: (cursor: BackfillCursor) => Promise<void>
  /** Stops after so many pages. */
  maxPages?: number
}

interface Reconcile {
  announceRestored: boolean
  progress: BackfillProgress
}

/** The cursor of the same backfill, back at the start of the list. */
export function fromTheTop({ since, startedAt, isLong, coveredSince }: BackfillCursor): BackfillCursor {
  return { since, startedAt, isLong, coveredSince }
}

const idsOf = ({ id, payment_intent_id: intent }: Session) => [id, intent].filter((one) => one !== undefined)

/** The states that a checkout leaves when its session ends. */
const isUnsettled = ({ state }: Checkout) => state === 'creating' || state === 'open' || state === 'unknown'

export type Backfill = ReturnType<typeof backfillService>

/** Reads Dots' list of sessions, settles what it finds there, and restores what the store has lost. */
export function backfillService(options: BackfillOptions) {
  const { config, catalog, store, dots, settle, lease, log, now } = options
  const { checkouts, outbox, events, warm } = store
  const canAnnounce = config.fulfillment !== undefined

  /**
   * Reads the list, starting at `from`. True if it was read to its end; false if it was stopped.
   *
   * @throws StoreError; AppError dots-…
   */
  async function run(
    from: BackfillCursor,
    signal: AbortSignal,
    {
      announceRestored = false,
      onProgress,
      saveCursor,
      maxPages = Number.POSITIVE_INFINITY,
    }: BackfillRun = {},
  ): Promise<boolean> {
    const progress = noProgress()
    let cursor = from
    for (let pages = 0; pages < maxPages; pages += 1) {
      if (!(await lease.nextCall(signal))) return false
      const { sessions, next, isLast } = await readPage(dots, cursor).catch((error: unknown) => {
        // Dots no longer knows the session that the cursor names, so the backfill starts again.
        const isUnknown = hasCode(error, 'dots-request-refused', 'dots-not-found')
        if (!isUnknown || cursor.startingAfter === undefined || pages > 0) throw error
        return { sessions: [], next: fromTheTop(cursor), isLast: false }
      })
      await reconcilePage(sessions, { announceRestored, progress })
      onProgress?.(progress)
      cursor = next
      await saveCursor?.(cursor)
      if (isLast) return true
    }
    return false
  }

  async function reconcilePage(sessions: readonly Session[], reconcile: Reconcile): Promise<void> {
    const ours = sessions.flatMap((session) => {
      const own = readOwnMetadata(session)
      return own === undefined ? [] : [{ session, own }]
    })
    const rows = await checkouts.findMany(ours.map(({ own }) => own.checkoutId))
    const known = new Map(rows.map((checkout) => [checkout.id, checkout]))
    const named = await namedByEvents(
      ours.flatMap(({ session, own }) => (known.has(own.checkoutId) ? [] : [session])),
    )
    const ended: string[] = []
    for (const { session, own } of ours) {
      const checkout = known.get(own.checkoutId)
      if (session.status === 'expired' && checkout !== undefined && checkout.sessionId !== null) {
        // A create call that was sent twice may leave a second session, whose expiry does not count.
        if (isUnsettled(checkout) && session.id === checkout.sessionId) ended.push(checkout.id)
        continue
      }
      // Nothing has changed, as with most sessions of a page.
      if (session.status === 'open' && checkout?.state === 'open' && checkout.sessionId !== null) continue
      await reconcileSession(session, own, checkout, { ...reconcile, named })
      await nextTurn()
    }
    if (ended.length > 0) reconcile.progress.settled += await checkouts.recordExpiries(ended)
    reconcile.progress.sessions += sessions.length
  }

  async function reconcileSession(
    session: Session,
    own: OwnMetadata,
    known: Checkout | undefined,
    { announceRestored, progress, named }: Reconcile & { named: ReadonlySet<string> },
  ): Promise<void> {
    if (known?.state === 'complete') {
      await settle(known, session, log)
      if (announceRestored && canAnnounce && (await outbox.release(known.id))) progress.released += 1
      return
    }
    if (known?.state === 'expired' && session.status === 'expired') return
    // The click may be in progress: only the click knows which session the buyer gets.
    const ageMs = now().getTime() - Date.parse(known?.createdAt ?? '')
    if (known?.state === 'creating' && ageMs >= 0 && ageMs < AFTER_CLICK_MS) {
      progress.inProgress += 1
      return
    }
    if (known === undefined) {
      if (!isOurs(session)) return
      // One that was made ahead and is not paid: nobody has got it, or its row is lost, and then it comes back when it is paid.
      if (own.isWarm && session.status !== 'complete') return
      const isHeld = session.status === 'complete' && !announceRestored && !wasNeverAnnounced(session, named)
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
   * or a stored webhook names it. Older orders may have been announced from a lost database.
   */
  function wasNeverAnnounced(session: Session, named: ReadonlySet<string>): boolean {
    return isOfThisDatabase(session) || idsOf(session).some((id) => named.has(id))
  }

  const isOfThisDatabase = ({ created }: Session) => Date.parse(created ?? '') >= Date.parse(store.createdAt)

  /** Which ids of lost orders that are older than this database stand in a stored webhook. */
  async function namedByEvents(lost: readonly Session[]): Promise<ReadonlySet<string>> {
    const older = lost.filter((session) => session.status === 'complete' && !isOfThisDatabase(session))
    const ids = new Set(older.flatMap(idsOf))
    const named = new Set<string>()
    let after: string | undefined = ids.size > 0 ? '' : undefined
    while (after !== undefined) {
      const { candidateIds, next }: { candidateIds: string[]; next: string | undefined } =
        await events.named(after)
      for (const id of candidateIds) if (ids.has(id)) named.add(id)
      await nextTurn()
      after = next
    }
    return named
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
      linkUses: null,
      clientReferenceId: session.client_reference_id ?? null,
      customerEmail: session.customer_email ?? null,
      metadata: readMerchantMetadata(session),
    }
    if (own.isWarm) await warm.remove(own.checkoutId)
    await checkouts.recordRestored(checkout, session.created ?? store.createdAt, isHeld)
  }

  /**
   * After a complete backfill, sets unresolved checkouts to `failed` if they are an hour old and not older than what it and
   * those before it have read: their sessions were never created. Older ones are left to a backfill that starts earlier.
   * @throws StoreError
   */
  async function failUnresolved({ since, startedAt, coveredSince = since }: BackfillCursor): Promise<void> {
    const before = new Date(Date.parse(startedAt) - FAIL_UNRESOLVED_MS).toISOString()
    await inBatches(() => checkouts.failUnresolved(coveredSince, before))
  }

  return { run, failUnresolved }
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
