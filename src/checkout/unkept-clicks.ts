import type { Checkout, NewCheckout } from '../store/checkout.ts'
import type { CheckoutStore, OpenedSession } from '../store/store.ts'

/** What a store that failed at a click has missed. */
export interface UnkeptClick {
  checkout: NewCheckout
  session: OpenedSession
  /** ISO 8601. */
  createdAt: string
}

/** A store that fails for longer than this many clicks is rebuilt by the sweep; memory must not be what gives way. */
const MOST_CLICKS = 10_000
/** Who pays in the last minute comes back soon after; by then the sweep has been round, too. */
const KEPT_BEYOND_END_MS = 3_600_000
/** No session of Dots lives for three hours; what says otherwise must not keep an email here for days. */
const LONGEST_LIFE_MS = 6 * 3_600_000

/**
 * The clicks that went through while the store could not keep them, in memory: a buyer who comes back before the sweep
 * has restored the row is known all the same. Another process, or this one after a restart, waits for the sweep.
 *
 * They hold emails, so each is forgotten an hour after its session has ended; where there are too many, the oldest is.
 */
export class UnkeptClicks {
  readonly #clicks = new Map<string, UnkeptClick>()
  readonly #most: number
  readonly #keptBeyondEndMs: number

  constructor({ most = MOST_CLICKS, keptBeyondEndMs = KEPT_BEYOND_END_MS } = {}) {
    this.#most = most
    this.#keptBeyondEndMs = keptBeyondEndMs
  }

  remember(click: UnkeptClick): void {
    const { id } = click.checkout
    const [oldest] = this.#clicks.keys()
    if (oldest !== undefined && this.#clicks.size >= this.#most) this.#clicks.delete(oldest)
    this.#clicks.set(id, click)
    const life = Date.parse(click.session.expiresAt) - Date.parse(click.createdAt)
    const keptMs = Math.min(Math.max(life, 0) + this.#keptBeyondEndMs, LONGEST_LIFE_MS)
    setTimeout(() => this.#clicks.delete(id), keptMs).unref()
  }

  /** Writes what the store has missed of this checkout, and reads it back; undefined where it missed nothing. @throws StoreError */
  async restore(id: string, checkouts: CheckoutStore): Promise<Checkout | undefined> {
    const click = this.#clicks.get(id)
    if (click === undefined) return undefined
    await checkouts.recordRestored(click.checkout, click.createdAt)
    await checkouts.recordOpen(id, click.session)
    this.#clicks.delete(id)
    return checkouts.find(id)
  }
}
