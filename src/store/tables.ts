import type { Kysely } from 'kysely'
import { checkoutQueries } from './checkouts.ts'
import { type EventsTable, eventQueries } from './events.ts'
import { type LeasesTable, leaseQueries } from './leases.ts'
import { outboxQueries } from './outbox.ts'
import { type SavedCartsTable, savedCartQueries } from './saved-carts.ts'
import { type WarmTables, warmQueries } from './warm-sessions.ts'

/** Text ids, integer cents, ISO times, JSON as text: the same for every database. */
export type Tables = WarmTables & {
  events: EventsTable
  leases: LeasesTable
  saved_carts: SavedCartsTable
  metadata: { name: string; value: string }
}

/** The queries of each table. Each of them is to be run as one atomic step. */
export function tableQueries(db: Kysely<Tables>, now: () => Date) {
  return {
    checkouts: checkoutQueries(db, now),
    events: eventQueries(db, now),
    outbox: outboxQueries(db, now),
    leases: leaseQueries(db, now),
    savedCarts: savedCartQueries(db, now),
    warm: warmQueries(db, now),
  }
}
export type TableQueries = ReturnType<typeof tableQueries>
