import { randomUUID } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import { availability, type Product, salesLimit } from '../catalog/product.ts'
import type { Config } from '../config.ts'
import type { DotsClient } from '../dots/client.ts'
import { type AppError, isDotsError, type Log } from '../errors.ts'
import { inBatches, isNotCalled } from '../orders/loop.ts'
import { newCheckoutId } from '../orders/session-metadata.ts'
import type { Store } from '../store/open-store.ts'
import { MAX_ROWS } from '../store/store.ts'
import type { WarmStock } from '../store/warm-sessions.ts'
import { wantedSessions } from './warm-demand.ts'
import { type Offer, warmOffers } from './warm-offers.ts'

const LEASE = 'warm'
/** The maker renews its lease in a third of this time. If it dies, another process goes on after it. */
const LEASE_MS = 30_000
/** The demand of a product is that of an average minute of the last ten. */
const DEMAND_MINUTES = 10
const MINUTE_MS = 60_000
/** Of the calls that the background may make at one time; the others are for payments. */
const SHARE_OF_CALLS = 1 / 16
/** A run ends after so many failures, since other calls to Dots may fail as well. */
const MAX_OUTAGES = 2
const MAX_FAILURES = 6
/** Before the offer that has failed is tried again, and before the next run after one with an outage. */
const MAX_PAUSE_MS = 60 * MINUTE_MS
const MAX_OUTAGE_PAUSE_MS = 10 * MINUTE_MS
const OUTAGE_PAUSE_MS = MINUTE_MS / 2

interface WarmOptions {
  config: Pick<Config, 'dots' | 'shop' | 'checkoutExpiresIn' | 'warmCheckouts'>
  catalog: Pick<LiveCatalog, 'current'>
  store: Store
  dots: DotsClient
  log: Log
  now: () => Date
  /** A monotonic clock, in milliseconds. */
  clock: () => number
}

/** How the calls to Dots of one run are going. */
interface Run {
  failures: number
  outages: number
  /** Dots is not asked any more in this run. */
  isOver: boolean
}

export type WarmCheckouts = ReturnType<typeof warmCheckouts>

/** Sessions that are made at Dots ahead of the clicks on plain links, so that these wait for no call. */
export function warmCheckouts({ config, catalog, store, dots, log, now, clock }: WarmOptions) {
  const { warmCheckouts: limit } = config
  const { maxInFlight } = config.dots
  const offers = warmOffers(config)
  const holder = randomUUID()
  /** Clicks since the last run, by sku. */
  let clicks = new Map<string, number>()
  /** Offers that could not be made. `retryAt` is by the monotonic clock. */
  const failures = new Map<string, { count: number; retryAt: number }>()
  const outages = { count: 0, retryAt: Number.NEGATIVE_INFINITY }
  /** What has expired is removed once a minute, by the monotonic clock. */
  let pruneAt = Number.NEGATIVE_INFINITY
  /** Whether the store may have sessions although none are to be made. */
  let mayHaveStock = true

  const ownWarm = ofCatalog((current) => current.products.filter(({ warm = 0 }) => warm > 0))
  const ago = (ms: number) => new Date(now().getTime() - ms).toISOString()

  /** Makes what is missing, and throws away what nobody should get any more. One process at a time does. @throws StoreError */
  async function make(signal: AbortSignal): Promise<void> {
    const counted = clicks
    clicks = new Map()
    await recordClicks([...counted])
    const { current } = catalog
    const isOff = limit === 0 && ownWarm(current).length === 0
    if (isOff) mayHaveStock &&= !(await store.warm.isEmpty())
    if (isOff && !mayHaveStock) return
    if (!(await renewLease())) return
    try {
      if (clock() >= pruneAt) {
        pruneAt = clock() + MINUTE_MS
        await inBatches(store.warm.prune)
        // Those that are still wanted have been tried again by then; the others are products as they were once.
        for (const [hash, { retryAt }] of failures)
          if (retryAt < clock() - MAX_PAUSE_MS) failures.delete(hash)
      }
      const stocked = await store.warm.stock()
      const perMinute = await demandOf(current)
      const products = new Set([...ownWarm(current), ...perMinute.keys()])
      for (const { sku } of stocked) add(products, current.find(sku))
      const onSale = await onSaleOf(products)
      const wanted = wantedSessions(onSale, perMinute, limit)
      const stock = await withoutOld(stocked, current, onSale, wanted)
      await fill(wanted, stock, signal)
    } finally {
      await store.leases.release(LEASE, holder)
    }
  }

  const renewLease = () => store.leases.acquire(LEASE, holder, ago(-LEASE_MS))

  async function recordClicks(counts: readonly [string, number][]): Promise<void> {
    for (let start = 0; start < counts.length; start += MAX_ROWS) {
      await store.warm.addClicks(counts.slice(start, start + MAX_ROWS), ago(DEMAND_MINUTES * MINUTE_MS))
    }
  }

  /** How many sessions an average minute of the last ten took of each product. */
  async function demandOf(current: Catalog): Promise<ReadonlyMap<Product, number>> {
    const perMinute = new Map<Product, number>()
    for (const [sku, count] of await store.warm.clicksSince(ago(DEMAND_MINUTES * MINUTE_MS))) {
      const product = current.find(sku)
      if (product !== undefined) perMinute.set(product, Math.ceil(count / DEMAND_MINUTES))
    }
    return perMinute
  }

  async function onSaleOf(products: ReadonlySet<Product>): Promise<ReadonlySet<Product>> {
    const soldOut = await soldOutOf(products)
    const isOnSale = (product: Product) =>
      availability(product, now()) === 'available' && !soldOut.has(product.sku)
    return new Set([...products].filter(isOnSale))
  }

  async function soldOutOf(products: Iterable<Product>): Promise<ReadonlySet<string>> {
    const limits = [...products].flatMap((product) => {
      const most = salesLimit(product)
      return most === undefined ? [] : [{ sku: product.sku, limit: most }]
    })
    const soldOut = new Set<string>()
    for (let start = 0; start < limits.length; start += MAX_ROWS) {
      for (const sku of await store.checkouts.soldOut(limits.slice(start, start + MAX_ROWS))) soldOut.add(sku)
    }
    return soldOut
  }

  /** Throws away what is off sale, what has other terms now, and what is too much. Resolves to what is left, by the offer. */
  async function withoutOld(
    stock: readonly WarmStock[],
    current: Catalog,
    onSale: ReadonlySet<Product>,
    wanted: ReadonlyMap<Product, number>,
  ): Promise<Map<string, number>> {
    const left = new Map(stock.map(({ offer, count }) => [offer, count]))
    const missing = [...wanted].map(([product, most]) =>
      Math.max(most - (left.get(offers.ofProduct(product).hash) ?? 0), 0),
    )
    /** How many are too many, when those are made that are missing. */
    let excess = limit > 0 ? sum(left.values()) + sum(missing) - limit : 0
    for (const { sku, offer, count } of stock) {
      const product = current.find(sku)
      const isCurrent =
        product !== undefined &&
        offers.isMade(product) &&
        onSale.has(product) &&
        offers.ofProduct(product).hash === offer
      // Demand that has shrunk leaves some over: they are used, unless others need the room.
      const bound = isCurrent ? (product.warm ?? 0) || count : 0
      const target = isCurrent ? (wanted.get(product) ?? 0) : 0
      const surplus = Math.max(count - bound, Math.min(excess, count - target), 0)
      for (let discarded = 0; discarded < surplus; discarded += MAX_ROWS) {
        await store.warm.discard(offer, surplus - discarded)
      }
      excess -= surplus
      if (surplus > 0) left.set(offer, count - surplus)
      if (count === surplus) left.delete(offer)
    }
    return left
  }

  /** Makes sessions until each product has what it should have, or Dots has no room or fails. */
  async function fill(
    wanted: ReadonlyMap<Product, number>,
    stock: ReadonlyMap<string, number>,
    signal: AbortSignal,
  ): Promise<void> {
    if (clock() < outages.retryAt) return
    const run = { failures: 0, outages: 0, isOver: false, renewAt: clock() + LEASE_MS / 3 }
    const queue = queueOf(wanted, stock).values()
    const makeNext = async (untilOneIsMade: boolean): Promise<void> => {
      for (const product of queue) {
        if (signal.aborted || !hasRoom()) run.isOver = true
        if (clock() >= run.renewAt) {
          run.renewAt = clock() + LEASE_MS / 3
          run.isOver ||= !(await renewLease())
        }
        if (run.isOver) return
        if ((await makeOne(product, run)) && untilOneIsMade) return
      }
    }
    // One after the other until Dots has made one: it may be down, and many failures would keep the events waiting.
    await makeNext(true)
    const makers = Math.max(1, Math.floor(maxInFlight * SHARE_OF_CALLS))
    await Promise.all(Array.from({ length: makers }, () => makeNext(false)))
    if (run.outages > 0) {
      outages.retryAt = clock() + Math.min(OUTAGE_PAUSE_MS * 2 ** outages.count, MAX_OUTAGE_PAUSE_MS)
      outages.count += 1
    }
  }

  const hasRoom = () => (dots.calls.inFlight + dots.calls.waiting) * 2 <= maxInFlight

  /** A product for each session that it lacks. First one for each that has none, and those last that have failed. */
  function queueOf(wanted: ReadonlyMap<Product, number>, stock: ReadonlyMap<string, number>): Product[] {
    const lacking = [...wanted].flatMap(([product, most]) => {
      const { hash } = offers.ofProduct(product)
      const missing = most - (stock.get(hash) ?? 0)
      const failed = failures.get(hash)
      if (missing <= 0 || (failed && clock() < failed.retryAt)) return []
      return [{ product, missing, most, failed: failed?.count ?? 0, isOut: !stock.has(hash) }]
    })
    lacking.sort((a, b) => a.failed - b.failed || Number(b.isOut) - Number(a.isOut) || b.most - a.most)
    const first = lacking.map(({ product }) => product)
    return [...first, ...lacking.flatMap(({ product, missing }) => Array<Product>(missing - 1).fill(product))]
  }

  /** True if it was made. @throws StoreError */
  async function makeOne(product: Product, run: Run): Promise<boolean> {
    const offer = offers.ofProduct(product)
    const startedAt = now()
    const id = newCheckoutId(startedAt)
    const { body, expiresIn } = offers.requestOf(product, id)
    try {
      const { session, checkoutUrl } = await dots.createCheckoutSession(body, 'background')
      const end = Date.parse(session.expiry ?? '') || startedAt.getTime() + expiresIn * 1000
      await store.warm.add({
        id,
        sku: product.sku,
        offer: offer.hash,
        sessionId: session.id ?? null,
        paymentIntentId: session.payment_intent_id ?? null,
        checkoutUrl: checkoutUrl.href,
        createdAt: startedAt.toISOString(),
        usableUntil: new Date((startedAt.getTime() + end) / 2).toISOString(),
        expiresAt: new Date(end).toISOString(),
      })
      failures.delete(offer.hash)
      outages.count = 0
      mayHaveStock = true
      return true
    } catch (error) {
      if (!isDotsError(error)) throw error
      run.isOver ||= isNotCalled(error)
      if (!isNotCalled(error)) noteFailure(offer, error, run)
      return false
    }
  }

  function noteFailure(offer: Offer, error: AppError, run: Run): void {
    run.failures += 1
    if (error.kind.outage || error.pauseSeconds !== undefined) run.outages += 1
    run.isOver ||= run.failures >= MAX_FAILURES || run.outages >= MAX_OUTAGES
    const count = (failures.get(offer.hash)?.count ?? 0) + 1
    const pauseMs = Math.min(MINUTE_MS * 2 ** (count - 1), MAX_PAUSE_MS)
    failures.set(offer.hash, { count, retryAt: clock() + pauseMs })
    if (count > 1) return
    log.warn(
      { event: 'warm.failed', ...error.details, code: error.code, sku: offer.sku },
      'checkout could not be opened ahead of its click; it is tried again with growing pauses',
    )
  }

  return {
    offerOf: offers.ofOrder,
    /** Counts a click that has taken a session, made ahead or not. */
    countClick: ({ sku }: Offer): void => void clicks.set(sku, (clicks.get(sku) ?? 0) + 1),
    make,
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const one of numbers) total += one
  return total
}

function add<T>(set: Set<T>, one: T | undefined): void {
  if (one !== undefined) set.add(one)
}

/** A value that is computed once for each version of the catalog. */
function ofCatalog<T>(compute: (catalog: Catalog) => T): (catalog: Catalog) => T {
  // Nothing here keeps an old catalog in memory.
  const known = new WeakMap<Catalog, T>()
  return (catalog) => {
    const value = known.get(catalog) ?? compute(catalog)
    known.set(catalog, value)
    return value
  }
}
