import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { explainFailure, fileCheck, isMissing, makeDatabaseFile } from './database-file.ts'
import { migrations } from './migrations/migrations.ts'
import { type MetadataTables, readCreatedAt, type Step, StoreError, type StoreOptions } from './store.ts'

/** Another process (a command beside the service) holds the lock for milliseconds; a click waits this long for it. */
const LOCK_TIMEOUT_MS = 1_000
const LOCK_POLL_MS = 15
/** A full or read-only disk is noticed within this time. It takes one commit each time. */
const WRITE_CHECK_INTERVAL_MS = 10_000
/** The ping fails if the lock of another process has prevented writing for longer than this. */
const MAX_LOCKED_MS = 30_000
/** Far more than the service has; a statement with a list of ids has another text for each length of the list. */
const MAX_CACHED_STATEMENTS = 200

/** The write-ahead log is cut back to this once nobody reads old pages from it: it is the size that a checkpoint leaves. */
const MAX_IDLE_LOG_BYTES = 4 * 1024 * 1024

interface SqliteOptions extends StoreOptions {
  /** Writes a row as a click does, and removes it, in one commit. */
  proveClick: (db: Kysely<MetadataTables>) => Promise<void>
}

/**
 * Opens the SQLite database at `path` (`:memory:` for none), makes its file and folder, and brings its tables up to
 * date. Unless it `mustExist`, it is to be written, and proves that it can be.
 *
 * WAL with full sync: a committed row survives a power failure. If the answer of Dots to a click is lost, the row is the
 * only trace of it.
 *
 * @throws StoreError when the file cannot be opened, holds something else, or is missing although it `mustExist`.
 */
export async function openSqlite(
  path: string,
  { now = () => new Date(), mustExist = false, proveClick }: SqliteOptions,
) {
  try {
    using onFailure = new DisposableStack()
    if (mustExist && isMissing(path)) throw missing(path)
    if (!mustExist && path !== ':memory:') makeDatabaseFile(path)
    const database = onFailure.use(new DatabaseSync(path))
    // The wait for a lock is in `retrying`: SQLite's own would block every other request of the process.
    database.exec('PRAGMA busy_timeout = 0')
    const isNew = await retrying(async () => checkTables(database, path))
    if (mustExist && isNew) throw missing(path)
    await retrying(async () => {
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES};`,
      )
    })
    const dialect = new SqliteDialect({ database: kyselyDatabase(database) })
    const db = new Kysely<MetadataTables>({ dialect })
    await retrying(() => migrate(db, database))
    const checkFile = path === ':memory:' ? () => {} : fileCheck(path)
    const step: Step = (work) =>
      retrying(() => {
        checkFile()
        return work()
      })
    const checkWrite = writeCheck(() => proveClick(db), now)
    const createdAt = await step(() => readCreatedAt(db, now))
    if (!mustExist) await checkWrite()
    onFailure.move()
    return {
      db,
      step,
      createdAt,
      /**
       * Resolves when the database can be read, and a click could be written within the last seconds: it writes one
       * every ten seconds, however often it is called. A lock that another process holds for a moment does not fail it.
       *
       * @throws StoreError
       */
      ping: (): Promise<void> =>
        retrying(async () => {
          checkFile(0)
          await sql`select 1 from checkouts limit 1`.execute(db)
          await checkWrite()
        }),
    }
  } catch (error) {
    throw explained(asStoreError(error), path)
  }
}

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
 * Writes as a click does if the last time is too long ago. It has to be a real commit of such a row: on a full disk the
 * lock can still be taken, and a smaller row may still fit. A lock that another process holds for a moment does not fail it.
 */
function writeCheck(write: () => Promise<void>, now: () => Date): () => Promise<void> {
  const openedAt = now().getTime()
  let writtenAt = Number.NEGATIVE_INFINITY
  return async () => {
    const at = now().getTime()
    // A clock that was set back must not make an old write look recent.
    if (Math.abs(at - writtenAt) < WRITE_CHECK_INTERVAL_MS) return
    try {
      await write()
      writtenAt = at
    } catch (error) {
      const isLocked = asStoreError(error).code === 'SQLITE_BUSY'
      if (!isLocked || Math.abs(at - Math.max(writtenAt, openedAt)) > MAX_LOCKED_MS) throw error
    }
  }
}

/**
 * Kysely takes no lock for SQLite, so of two processes that open a new file at once both would create its tables: the
 * lock is taken here, around all of it. A file that is up to date is opened without one.
 */
async function migrate(db: Kysely<MetadataTables>, database: DatabaseSync): Promise<void> {
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

/** `node:sqlite` behind the few calls that Kysely's own SQLite dialect makes. Statements are prepared once. */
function kyselyDatabase(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()

  function prepare(text: string): SqliteStatement {
    const statement = database.prepare(text)
    return {
      reader: statement.columns().length > 0,
      all: (values: readonly SQLInputValue[]) => statement.all(...values),
      iterate: (values: readonly SQLInputValue[]) => statement.iterate(...values),
      run: (values: readonly SQLInputValue[]) =>
        // A full disk ends the transaction by itself; "no transaction is active" would hide the reason.
        text === 'rollback' && !database.isTransaction
          ? { changes: 0, lastInsertRowid: 0 }
          : statement.run(...values),
    }
  }

  return {
    close: () => database.close(),
    prepare(text) {
      const known = statements.get(text)
      if (known !== undefined) return known
      if (statements.size >= MAX_CACHED_STATEMENTS) statements.clear()
      const statement = prepare(text)
      statements.set(text, statement)
      return statement
    },
  }
}

/** Runs `work`, again while another process holds the lock; a step is atomic, so nothing is done twice. */
const retrying: Step = async (work) => {
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
