import type { Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** When the store was made (ISO 8601), written down at its first opening. */
export async function madeAt(db: Kysely<Tables>, now: () => Date): Promise<string> {
  const read = () => db.selectFrom('facts').select('value').where('name', '=', 'made_at')
  const known = await read().executeTakeFirst()
  // Nothing is written where nothing is new: another process may hold the lock.
  if (known !== undefined) return known.value
  await db
    .insertInto('facts')
    .values({ name: 'made_at', value: now().toISOString() })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  return (await read().executeTakeFirstOrThrow()).value
}
