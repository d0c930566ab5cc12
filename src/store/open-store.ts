import type { CheckoutTables } from './checkout-lookups.ts'
import { checkoutQueries } from './checkouts.ts'
import { type EventsTable, eventQueries } from './events.ts'
import { type LeasesTable, leaseQueries } from './leases.ts'
import { outboxQueries } from './outbox.ts'
import { type SavedCartsTable, savedCartQueries } from './saved-carts.ts'
import { openSqlite } from './sqlite.ts'
import { inSteps } from './store.ts'

/** Text ids, integer cents, ISO times, JSON as text: the same for every database. */
type Tables = CheckoutTables & { events: EventsTable; leases: LeasesTable; saved_carts: SavedCartsTable }

/**
 * Opens the store that a database URL names: `sqlite:PATH`, or `sqlite::memory:`. Its methods are atomic, and throw
 * StoreError and nothing else.
 *
 * @throws StoreError when it cannot be opened.
 */
export async function openStore(databaseUrl: string, { now = () => new Date() }: { now?: () => Date } = {}) {
  const { step, createdAt, ping, ...database } = await openSqlite(databaseUrl.replace(/^sqlite:/, ''), now)
  const db = database.db.$extendTables<Tables>()
  return {
    checkouts: inSteps(checkoutQueries(db, now), step),
    events: inSteps(eventQueries(db, now), step),
    outbox: inSteps(outboxQueries(db, now), step),
    leases: inSteps(leaseQueries(db, now), step),
    savedCarts: inSteps(savedCartQueries(db, now), step),
    /** When this database was created (ISO 8601): older sessions belong to an earlier database. */
    createdAt,
    ping,
    close: () => db.destroy(),
  }
}

/** An open store. */
export type Store = Awaited<ReturnType<typeof openStore>>
