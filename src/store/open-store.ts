import { openSqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

/**
 * Opens the store that a database URL names: `sqlite:PATH`.
 *
 * @throws StoreError when it cannot be opened.
 */
export function openStore(databaseUrl: string, options: { now?: () => Date } = {}): Promise<Store> {
  return openSqliteStore(databaseUrl.replace(/^sqlite:/, ''), options)
}
