import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { fileCheck, isMissing, makeDatabaseFile } from './database-file.ts'
import { migrations } from './migrations/migrations.ts'
import { sqliteDialect } from './sqlite-driver.ts'
import { type SqliteEngine, sqliteEngine } from './sqlite-engine.ts'
import { asStoreError, explained, missing } from './sqlite-errors.ts'
import type { Opened } from './steps.ts'
import { StoreError } from './store.ts'
import type { Tables } from './tables.ts'

/** Another process (a command beside the service) holds the lock for milliseconds; an opening waits this long for it. */
const LOCK_TIMEOUT_MS = 1_000
const LOCK_POLL_MS = 15
/** The write-ahead log is cut back to this once nobody reads old pages from it: it is the size that a checkpoint leaves. */
const MAX_IDLE_LOG_BYTES = 4 * 1024 * 1024

export interface SqliteOptions {
  path: string
  /** Milliseconds since 1970, by the clock of the service. */
  at: number
  mustExist: boolean
  /** A further connection that only reads, to a database that is open already. */
  readOnly?: boolean
}

/**
 * Opens the SQLite database at `path` (`:memory:` for none), makes its file and folder, and brings its tables up to
 * date. Unless it `mustExist`, it is to be written, and proves that it can be.
 *
 * WAL with full sync: a committed row survives a power failure. The row of a click is on the disk before its buyer is
 * sent to Dots.
 *
 * @throws StoreError when the file cannot be opened, holds something else, or is missing although it `mustExist`.
 */
export async function openSqlite({
  path,
  at,
  mustExist,
  readOnly = false,
}: SqliteOptions): Promise<SqliteEngine & Opened> {
  try {
    using onFailure = new DisposableStack()
    if (mustExist && isMissing(path)) throw missing(path)
    if (!mustExist && !readOnly && path !== ':memory:') makeDatabaseFile(path)
    const database = onFailure.use(new DatabaseSync(path, { readOnly }))
    // The wait for a lock is in `retrying`, so that other work of this thread goes on.
    database.exec('PRAGMA busy_timeout = 0')
    const isNew = await retrying(async () => checkTables(database, path))
    if (mustExist && isNew) throw missing(path)
    if (!readOnly) {
      await retrying(async () => {
        database.exec(
          `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES};`,
        )
      })
    }
    const db = new Kysely<Tables>({ dialect: sqliteDialect(database) })
    if (!readOnly) {
      await retrying(() => migrate(db, database))
      // What a statement may have to undo stays in memory: SQLite writes it to a file otherwise. Not for the sorting of an upgrade.
      database.exec('PRAGMA temp_store = MEMORY')
    }
    const engine = sqliteEngine(database, db, path === ':memory:' ? () => {} : fileCheck(path))
    const createdAt = await retrying(() => readCreatedAt(db, new Date(at)))
    if (!mustExist && !readOnly) await engine.proveWrite(at)
    onFailure.move()
    return { createdAt, ...engine }
  } catch (error) {
    throw explained(asStoreError(error), path)
  }
}

/**
 * Whether the file is empty. Nothing is written to a database of another program or of a newer version of this one.
 *
 * @throws StoreError if it is one.
 */
export function checkTables(database: DatabaseSync, path: string): boolean {
  const tables = names(database, "select name from sqlite_schema where type = 'table'")
  if (tables.length === 0) return true
  const done = tables.includes('kysely_migration') ? names(database, 'select name from kysely_migration') : []
  const [first = '', ...others] = Object.keys(migrations).sort()
  if (!done.includes(first)) {
    const explanation = `${path} is the database of another program: correct DATABASE_URL`
    throw new StoreError('DATABASE_FOREIGN', undefined, explanation)
  }
  const unknown = done.filter((name) => !Object.hasOwn(migrations, name)).sort()
  if (unknown.length > 0) {
    const explanation = `${path} has version ${unknown.at(-1)}, and this program knows versions up to ${others.at(-1) ?? first}: install the newer program again, or put back a backup of before`
    throw new StoreError('DATABASE_NEWER', undefined, explanation)
  }
  return false
}

function names(database: DatabaseSync, query: string): string[] {
  return database
    .prepare(query)
    .all()
    .map(({ name }) => String(name))
}

/**
 * Kysely takes no lock for SQLite, so of two processes that open a new file at once both would create its tables: the
 * lock is taken here, around all of it. A file that is up to date is opened without one.
 */
async function migrate(db: Kysely<Tables>, database: DatabaseSync): Promise<void> {
  const provider = { getMigrations: async () => migrations }
  const migrator = new Migrator({ db, provider, disableTransactions: true })
  if ((await migrator.getMigrations()).every(({ executedAt }) => executedAt !== undefined)) return
  database.exec('BEGIN IMMEDIATE')
  try {
    const { error } = await migrator.migrateToLatest()
    if (error !== undefined) throw error
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/**
 * When the database was created (ISO 8601), written at its first opening; now, where that is in the future. It is not
 * corrected in the database, because the clock may be wrong today.
 */
async function readCreatedAt(db: Kysely<Tables>, now: Date): Promise<string> {
  const query = db.selectFrom('metadata').select('value').where('name', '=', 'created_at')
  const value = now.toISOString()
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

/** Opens, again while another process holds the lock. */
async function retrying<T>(work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + LOCK_TIMEOUT_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const failure = asStoreError(error)
      if (failure.code !== 'SQLITE_BUSY' || performance.now() > giveUpAt) throw failure
      await sleep(LOCK_POLL_MS * (0.5 + Math.random()))
    }
  }
}
