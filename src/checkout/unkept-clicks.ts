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

/**
 * The clicks that went through while the store could not keep them, in memory: a buyer who comes back before the sweep
 * has restored the row is known all the same. Another process, or this one after a restart, waits for the sweep.
 */
export class UnkeptClicks {
  readonly #clicks = new Map<string, UnkeptClick>()

  remember(click: UnkeptClick): void {
    if (this.#clicks.size < MOST_CLICKS) this.#clicks.set(click.checkout.id, click)
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
