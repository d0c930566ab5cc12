import type { Checkout, NewCheckout, OpenedSession, PurchaseKey } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'

/** Bounds the memory. If more clicks than this could not be saved, the backfill restores the oldest. */
const MAX_CHECKOUTS = 10_000
/** A buyer who pays in the last minute returns within this time; after it a backfill has restored the row. */
const KEEP_AFTER_EXPIRY_MS = 3_600_000
/** Sessions of Dots last less than three hours; because of a wrong expiry an email must not stay here for days. */
const MAX_LIFE_MS = 6 * 3_600_000

/** A checkout that the store could not save. `createdAt`: ISO 8601. */
interface UnsavedCheckout {
  checkout: NewCheckout & Partial<PurchaseKey>
  session: OpenedSession
  createdAt: string
}

/**
 * Holds in memory the checkouts that were opened while the store failed, for buyers who return before a backfill has
 * restored the row. Other processes, and this one after a restart, depend on the backfill.
 *
 * They contain emails, so each is deleted an hour after its session has expired, or earlier if there are too many.
 */
export function unsavedCheckouts({ max = MAX_CHECKOUTS, keepAfterExpiryMs = KEEP_AFTER_EXPIRY_MS } = {}) {
  const byId = new Map<string, UnsavedCheckout>()
  return {
    add(unsaved: UnsavedCheckout): void {
      const { id } = unsaved.checkout
      const [oldest] = byId.keys()
      if (oldest !== undefined && byId.size >= max) byId.delete(oldest)
      byId.set(id, unsaved)
      const lifeMs = Date.parse(unsaved.session.expiresAt) - Date.parse(unsaved.createdAt)
      const keepMs = Math.min(Math.max(lifeMs, 0) + keepAfterExpiryMs, MAX_LIFE_MS)
      setTimeout(() => byId.delete(id), keepMs).unref()
    },

    /** Stores those of this browser now, so that its second click finds them. @throws StoreError */
    async saveOf(browserId: string, store: Pick<Store, 'checkouts'>): Promise<void> {
      for (const [id, { checkout }] of byId) if (checkout.browserId === browserId) await this.save(id, store)
    },

    /** Stores this checkout now, and returns its row; undefined if nothing of it is unsaved. @throws StoreError */
    async save(id: string, { checkouts }: Pick<Store, 'checkouts'>): Promise<Checkout | undefined> {
      const unsaved = byId.get(id)
      if (unsaved === undefined) return undefined
      await checkouts.recordOpened(unsaved.checkout, unsaved.session, unsaved.createdAt)
      byId.delete(id)
      return checkouts.find(id)
    },
  }
}
export type UnsavedCheckouts = ReturnType<typeof unsavedCheckouts>
