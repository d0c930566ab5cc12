import { resolve } from 'node:path'
import type { Kysely } from 'kysely'
import type { CheckoutTables } from './checkout-lookups.ts'
import { checkoutQueries } from './checkouts.ts'
import { type EventsTable, eventQueries } from './events.ts'
import { type LeasesTable, leaseQueries } from './leases.ts'
import { outboxQueries } from './outbox.ts'
import { type SavedCartsTable, savedCartQueries } from './saved-carts.ts'
import { openSqlite } from './sqlite.ts'
import { inSteps, type StoreOptions } from './store.ts'

/** Text ids, integer cents, ISO times, JSON as text: the same for every database. */
type Tables = CheckoutTables & { events: EventsTable; leases: LeasesTable; saved_carts: SavedCartsTable }

/** The path that a database URL names: an absolute one, or `:memory:`. */
export function databasePath(databaseUrl: string): string {
  const path = databaseUrl.replace(/^sqlite:/, '')
  return path === ':memory:' ? path : resolve(path)
}

/**
 * Opens the store that a database URL names: `sqlite:PATH`, or `sqlite::memory:`. Its methods are atomic, and throw
 * StoreError and nothing else.
 *
 * @throws StoreError when it cannot be opened.
 */
export async function openStore(
  databaseUrl: string,
  { now = () => new Date(), mustExist }: StoreOptions = {},
) {
  const path = databasePath(databaseUrl)
  const { step, createdAt, ping, ...database } = await openSqlite(path, {
    now,
    mustExist,
    proveClick: (one) => proveClick(one.$extendTables<CheckoutTables>(), now),
  })
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

/** Never a row of a buyer's: it is written and removed in one commit. */
const PROOF_ID = 'proof'

async function proveClick(db: Kysely<CheckoutTables>, now: () => Date): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const checkouts = checkoutQueries(transaction, now)
    await checkouts.recordRestored(
      {
        id: PROOF_ID,
        items: [{ sku: PROOF_ID, name: PROOF_ID, quantity: 1, amount: 1 }],
        amountTotal: 1,
        currency: 'usd',
        link: '/',
        linkId: null,
        linkUses: null,
        clientReferenceId: null,
        customerEmail: null,
        metadata: {},
      },
      now().toISOString(),
    )
    await checkouts.recordOpen(PROOF_ID, { sessionId: PROOF_ID, expiresAt: now().toISOString() })
    await transaction.deleteFrom('checkouts').where('id', '=', PROOF_ID).execute()
  })
}

/** An open store. */
export type Store = Awaited<ReturnType<typeof openStore>>
