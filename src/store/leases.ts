import type { Kysely } from 'kysely'

export type LeasesTable = { name: string; holder: string | null; until: string; cursor: string | null }

/** Leases that one process at a time can hold among all that share the database, with a cursor for the next holder. */
export function leaseQueries(db: Kysely<{ leases: LeasesTable }>, now: () => Date) {
  return {
    /** Acquires or renews the lease until `until` (ISO 8601); false while another process holds it. */
    async acquire(name: string, holder: string, until: string): Promise<boolean> {
      const result = await db
        .insertInto('leases')
        .values({ name, holder, until, cursor: null })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ holder, until })
            .where((row) =>
              row.or([row('leases.holder', '=', holder), row('leases.until', '<', now().toISOString())]),
            ),
        )
        .executeTakeFirst()
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
    },

    async release(name: string, holder: string): Promise<void> {
      await db
        .updateTable('leases')
        .set({ holder: null, until: '' })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .execute()
    },

    async readCursor(name: string): Promise<string | undefined> {
      const row = await db.selectFrom('leases').select('cursor').where('name', '=', name).executeTakeFirst()
      return row?.cursor ?? undefined
    },

    /** `undefined` deletes it. */
    async writeCursor(name: string, cursor: string | undefined): Promise<void> {
      await db
        .insertInto('leases')
        .values({ name, holder: null, until: '', cursor: cursor ?? null })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ cursor: cursor ?? null }))
        .execute()
    },
  }
}
