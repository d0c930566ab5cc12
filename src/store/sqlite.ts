import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { migrations } from './migrations/migrations.ts'
import { type MetadataTables, readCreatedAt, type Step, StoreError } from './store.ts'

/** Another process (a command beside the service) holds the lock for milliseconds; a click waits this long for it. */
const LOCK_TIMEOUT_MS = 1_000
const LOCK_POLL_MS = 15
/** A full or read-only disk is noticed within this time. It takes one commit each time. */
const WRITE_CHECK_INTERVAL_MS = 10_000
/** The ping fails if the lock of another process has prevented writing for longer than this. */
const MAX_LOCKED_MS = 30_000
/** What is written to a deleted file within this time is lost, and restored from Dots by the sweep. */
const FILE_CHECK_INTERVAL_MS = 1_000
/** Far more than the service has; a statement with a list of ids has another text for each length of the list. */
const MAX_CACHED_STATEMENTS = 200

/**
 * Opens the SQLite database at `path` (`:memory:` for none), makes its folder, and brings its tables up to date.
 *
 * WAL with full sync: a committed row survives a power failure. If the answer of Dots to a click is lost, the row is the
 * only trace of it.
 *
 * @throws StoreError when the file cannot be opened, or holds something else.
 */
export async function openSqlite(path: string, now: () => Date) {
  try {
    using onFailure = new DisposableStack()
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
    const database = onFailure.use(new DatabaseSync(path))
    await retrying(async () => {
      // The wait for a lock is in `retrying`: SQLite's own would block every other request of the process.
      database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    })
    const dialect = new SqliteDialect({ database: kyselyDatabase(database) })
    const db = new Kysely<MetadataTables>({ dialect })
    await retrying(() => migrate(db, database))
    const checkFile = path === ':memory:' ? () => {} : fileCheck(path)
    const step: Step = (work) =>
      retrying(() => {
        checkFile(FILE_CHECK_INTERVAL_MS)
        return work()
      })
    const checkWrite = writeCheck(db, now)
    const createdAt = await step(() => readCreatedAt(db, now))
    onFailure.move()
    return {
      db,
      step,
      createdAt,
      /**
       * Resolves when the database can be read, and could be written within the last seconds: it writes one row every
       * ten seconds, however often it is called. A lock that another process holds for a moment does not fail it.
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
    throw asStoreError(error)
  }
}

/**
 * Throws where the file at `path` is no longer the one that was opened, if the last look is `maxAgeMs` old: SQLite
 * reports no error in a deleted file, and everything that is written there is lost with the process.
 */
function fileCheck(path: string): (maxAgeMs: number) => void {
  const { ino, dev } = statSync(path)
  let checkedAt = performance.now()
  return (maxAgeMs) => {
    if (performance.now() - checkedAt < maxAgeMs) return
    const current = statSync(path, { throwIfNoEntry: false })
    if (current?.ino !== ino || current.dev !== dev) {
      throw new StoreError('DATABASE_FILE_REPLACED', new Error('the database file was deleted or replaced'))
    }
    checkedAt = performance.now()
  }
}

/**
 * Writes a row if the last write is too long ago. It has to be a real commit: on a full disk the lock can still be taken,
 * and a write that is rolled back does not reach the disk.
 */
function writeCheck(db: Kysely<MetadataTables>, now: () => Date): () => Promise<void> {
  let writtenAt = Number.NEGATIVE_INFINITY
  return async () => {
    // A clock that was set back must not make an old write look recent.
    const age = Math.abs(now().getTime() - writtenAt)
    if (age < WRITE_CHECK_INTERVAL_MS) return
    const value = now().toISOString()
    try {
      await db
        .insertInto('metadata')
        .values({ name: 'written_at', value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute()
      writtenAt = Date.parse(value)
    } catch (error) {
      const isLocked = asStoreError(error).code === 'SQLITE_BUSY'
      if (!isLocked || age > MAX_LOCKED_MS) throw error
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

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  if (!(error instanceof Error && 'code' in error)) return new StoreError('STORE_BUG', error)
  if (!('errcode' in error && typeof error.errcode === 'number')) {
    return new StoreError(String(error.code), error)
  }
  // The low byte is the primary code, the rest says where it came from.
  return new StoreError(RESULT_CODES[error.errcode & 0xff] ?? `SQLITE_${error.errcode}`, error)
}
