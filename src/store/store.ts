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
  /** Uses the database in the thread of the caller, for a command, which has nobody to keep waiting. */
  withoutThread?: boolean
  /** The program of the thread instead of the service's own, for tests. */
  threadFile?: URL
}

/**
 * Most rows that one step reads or changes, where there may be any number: other steps wait meanwhile. So many take a few
 * milliseconds.
 */
export const MAX_ROWS = 200

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
