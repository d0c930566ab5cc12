import { type Kysely, sql } from 'kysely'

export type LeasesTable = { name: string; holder: string | null; until: string; cursor: string | null }

/** Leases that one process at a time can hold among all that share the database, with a cursor for the next holder. */
export function leaseQueries(db: Kysely<{ leases: LeasesTable }>, now: () => Date) {
  return {
    /**
     * Acquires or renews the lease until `until` (ISO 8601); false while another process holds it. One that would last
     * for more than twice the time asked for was written under a wrong clock, and is free.
     */
    async acquire(name: string, holder: string, until: string): Promise<boolean> {
      const at = now()
      const latest = new Date(2 * Date.parse(until) - at.getTime()).toISOString()
      const acquired = await db
        .insertInto('leases')
        .values({ name, holder, until })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ holder, until })
            .where(
              sql<boolean>`(leases.holder = ${holder} or leases.until < ${at.toISOString()} or leases.until > ${latest})`,
            ),
        )
        .returning('name')
        .executeTakeFirst()
      return acquired !== undefined
    },

    release: (name: string, holder: string) =>
      db
        .updateTable('leases')
        .set({ holder: null, until: '' })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .execute(),

    async readCursor(name: string): Promise<string | undefined> {
      const row = await db.selectFrom('leases').select('cursor').where('name', '=', name).executeTakeFirst()
      return row?.cursor ?? undefined
    },

    writeCursor: (name: string, cursor: string) =>
      db
        .insertInto('leases')
        .values({ name, until: '', cursor })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ cursor }))
        .execute(),
  }
}
