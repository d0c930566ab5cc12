import type { Kysely } from 'kysely'
import type { BaseLogger } from 'pino'

/** The database failed: locked, full, gone. `code`: see docs/operating.md, "The database". Nothing was changed. */
export class StoreError extends Error {
  readonly code: string
  /** A sentence for the operator, with paths where they help. Never for buyers. */
  readonly explanation: string | undefined

  constructor(code: string, cause?: unknown, explanation?: string) {
    super(`The store failed (${code})`, { cause })
    this.name = 'StoreError'
    this.code = code
    this.explanation = explanation
  }
}

export interface StoreOptions {
  now?: () => Date
  /** The database is not created where there is none: opening it fails. For commands that only read. */
  mustExist?: boolean
}

/**
 * Runs one atomic step, and does what its database needs around it: waiting for a lock, naming a failure.
 *
 * @throws StoreError, and nothing else.
 */
export type Step = <T>(work: () => Promise<T>) => Promise<T>

type Queries = Record<string, (...parameters: never[]) => Promise<unknown>>

/** The same queries, each of them run as one step. */
export function inSteps<Q extends Queries>(queries: Q, step: Step): Q {
  const wrapped = Object.entries(queries).map(
    ([name, run]) => [name, (...parameters: never[]) => step(() => run(...parameters))] as const,
  )
  return { ...queries, ...Object.fromEntries(wrapped) }
}

/**
 * For work that a sale does not depend on. Returns the result of `work`; if the database fails, logs one line with the
 * code and returns `undefined`. Throws all other errors.
 */
export async function optional<T>(
  log: Pick<BaseLogger, 'error'>,
  event: string,
  work: () => Promise<T>,
  details: object = {},
): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log.error({ event, ...details, code: error.code }, 'database failed; continuing without it')
    return undefined
  }
}

/** Data about the database itself: `created_at`. */
export type MetadataTables = { metadata: { name: string; value: string } }

/**
 * When the database was created (ISO 8601), written at its first opening; now, where that is in the future. It is not
 * corrected in the database, because the clock may be wrong today.
 */
export async function readCreatedAt(db: Kysely<MetadataTables>, now: () => Date): Promise<string> {
  const query = db.selectFrom('metadata').select('value').where('name', '=', 'created_at')
  const value = now().toISOString()
  const known = await query.executeTakeFirst()
  // Another process may hold the lock, so nothing is written where the row exists.
  if (known !== undefined) {
    const isAhead = known.value > value
    return isAhead ? value : known.value
  }
  await db
    .insertInto('metadata')
    .values({ name: 'created_at', value })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  return (await query.executeTakeFirstOrThrow()).value
}
