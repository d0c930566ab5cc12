import { explainFailure } from './database-file.ts'
import { StoreError } from './store.ts'

/** The failure to open the database at `path`, with a sentence for the operator that names it. */
export function explained(failure: StoreError, path: string): StoreError {
  const { code, cause, explanation = explainFailure(code, path) } = failure
  const reason = cause instanceof Error ? `${path} cannot be used: ${cause.message}` : undefined
  return new StoreError(code, cause, explanation ?? reason)
}

/** The failure to find a database that must exist. */
export function missing(path: string): StoreError {
  const explanation = `there is no database at ${path}: correct DATABASE_URL, or start the service once`
  return new StoreError('DATABASE_MISSING', undefined, explanation)
}

/** SQLite's primary result codes that an operator can act on (sqlite.org/rescode.html). */
const RESULT_CODES: Record<number, string> = {
  5: 'SQLITE_BUSY',
  6: 'SQLITE_BUSY',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
}

/** The failure as a StoreError, with the code that an operator can look up. */
export function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  if (!(error instanceof Error && 'code' in error)) return new StoreError('STORE_BUG', error)
  if (!('errcode' in error && typeof error.errcode === 'number')) {
    return new StoreError(String(error.code), error)
  }
  // The low byte is the primary code, the rest says where it came from.
  return new StoreError(RESULT_CODES[error.errcode & 0xff] ?? `SQLITE_${error.errcode}`, error)
}
