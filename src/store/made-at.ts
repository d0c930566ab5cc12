import type { Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** When the store was made (ISO 8601), written down at its first opening. */
export async function madeAt(db: Kysely<Tables>, now: () => Date): Promise<string> {
  await db
    .insertInto('facts')
    .values({ name: 'made_at', value: now().toISOString() })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const { value } = await db
    .selectFrom('facts')
    .select('value')
    .where('name', '=', 'made_at')
    .executeTakeFirstOrThrow()
  return value
}
