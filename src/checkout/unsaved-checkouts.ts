import type { Checkout, NewCheckout, OpenedSession } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'

/** A store that fails for longer than this many clicks is restored by the backfill; memory has to stay bounded. */
const MAX_CHECKOUTS = 10_000
/** Who pays in the last minute comes back soon after; by then the backfill has been round, too. */
const KEEP_AFTER_EXPIRY_MS = 3_600_000
/** No session of Dots lives for three hours; a wrong expiry must not keep an email here for days. */
const MAX_LIFE_MS = 6 * 3_600_000

/** What a store that failed at a click has missed. `createdAt`: ISO 8601. */
export interface UnsavedCheckout {
  checkout: NewCheckout
  session: OpenedSession
  createdAt: string
}

/**
 * The checkouts that went through while the store could not save them, in memory: a buyer who comes back before the
 * backfill has restored the row is known all the same. Another process, or this one after a restart, waits for the
 * backfill.
 *
 * They hold emails, so each is forgotten an hour after its session has expired; where there are too many, the oldest is.
 */
export class UnsavedCheckouts {
  readonly #byId = new Map<string, UnsavedCheckout>()
  readonly #max: number
  readonly #keepAfterExpiryMs: number

  constructor({ max = MAX_CHECKOUTS, keepAfterExpiryMs = KEEP_AFTER_EXPIRY_MS } = {}) {
    this.#max = max
    this.#keepAfterExpiryMs = keepAfterExpiryMs
  }

  add(unsaved: UnsavedCheckout): void {
    const { id } = unsaved.checkout
    const [oldest] = this.#byId.keys()
    if (oldest !== undefined && this.#byId.size >= this.#max) this.#byId.delete(oldest)
    this.#byId.set(id, unsaved)
    const lifeMs = Date.parse(unsaved.session.expiresAt) - Date.parse(unsaved.createdAt)
    const keepMs = Math.min(Math.max(lifeMs, 0) + this.#keepAfterExpiryMs, MAX_LIFE_MS)
    setTimeout(() => this.#byId.delete(id), keepMs).unref()
  }

  /** Writes what the store has missed of this checkout, and reads it back; undefined where it missed nothing. @throws StoreError */
  async save(id: string, { checkouts }: Pick<Store, 'checkouts'>): Promise<Checkout | undefined> {
    const unsaved = this.#byId.get(id)
    if (unsaved === undefined) return undefined
    await checkouts.recordRestored(unsaved.checkout, unsaved.createdAt)
    await checkouts.recordOpen(id, unsaved.session)
    this.#byId.delete(id)
    return checkouts.find(id)
  }
}
