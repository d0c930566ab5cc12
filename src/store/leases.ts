import type { Kysely } from 'kysely'
import type { Step } from './step.ts'
import type { LeaseStore } from './store.ts'
import type { Tables } from './tables.ts'

/** The queries behind {@link LeaseStore}. */
export function leaseQueries(db: Kysely<Tables>, step: Step, now: () => Date): LeaseStore {
  function ensure(name: string) {
    return db
      .insertInto('leases')
      .values({ name, holder: null, until: '', note: null })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute()
  }

  return {
    acquire(name: string, holder: string, until: string): Promise<boolean> {
      return step(async () => {
        await ensure(name)
        const result = await db
          .updateTable('leases')
          .set({ holder, until })
          .where('name', '=', name)
          .where((row) => row.or([row('holder', '=', holder), row('until', '<', now().toISOString())]))
          .executeTakeFirst()
        return result.numUpdatedRows > 0n
      })
    },

    release(name: string, holder: string): Promise<void> {
      return step(async () => {
        await db
          .updateTable('leases')
          .set({ holder: null, until: '' })
          .where('name', '=', name)
          .where('holder', '=', holder)
          .execute()
      })
    },

    readNote(name: string): Promise<string | undefined> {
      return step(async () => {
        const row = await db.selectFrom('leases').select('note').where('name', '=', name).executeTakeFirst()
        return row?.note ?? undefined
      })
    },

    writeNote(name: string, note: string | undefined): Promise<void> {
      return step(async () => {
        await ensure(name)
        await db
          .updateTable('leases')
          .set({ note: note ?? null })
          .where('name', '=', name)
          .execute()
      })
    },
  }
}
