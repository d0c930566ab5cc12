import type { Kysely } from 'kysely'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import type { Step } from './step.ts'
import type { Selection, SelectionStore } from './store.ts'
import type { Tables } from './tables.ts'

const fieldsValidator = Compile(Type.Array(Type.Tuple([Type.String(), Type.String()])))

/** The queries behind {@link SelectionStore}. */
export function selectionQueries(db: Kysely<Tables>, step: Step, now: () => Date): SelectionStore {
  return {
    keep(browser: string, { items, fields }: Selection): Promise<void> {
      const kept = { items, fields: JSON.stringify(fields), kept_at: now().toISOString() }
      return step(async () => {
        await db
          .insertInto('selections')
          .values({ browser, ...kept })
          .onConflict((conflict) => conflict.column('browser').doUpdateSet(kept))
          .execute()
      })
    },

    find(browser: string, keptAfter: string): Promise<Selection | undefined> {
      return step(async () => {
        const row = await db
          .selectFrom('selections')
          .selectAll()
          .where('browser', '=', browser)
          .where('kept_at', '>', keptAfter)
          .executeTakeFirst()
        return row === undefined
          ? undefined
          : { items: row.items, fields: fieldsValidator.Parse(JSON.parse(row.fields)) }
      })
    },

    forget(browser: string): Promise<void> {
      return step(async () => {
        await db.deleteFrom('selections').where('browser', '=', browser).execute()
      })
    },

    prune(before: string): Promise<void> {
      return step(async () => {
        await db.deleteFrom('selections').where('kept_at', '<', before).execute()
      })
    },
  }
}
