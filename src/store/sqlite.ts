import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { checkoutQueries } from './checkouts.ts'
import { eventQueries } from './events.ts'
import { leaseQueries } from './leases.ts'
import { madeAt } from './made-at.ts'
import { migrations } from './migrations/migrations.ts'
import { outboxQueries } from './outbox.ts'
import { selectionQueries } from './selections.ts'
import type { Step } from './step.ts'
import { type Store, StoreError } from './store.ts'
import type { Tables } from './tables.ts'

/** Another process (a command beside the service) holds the file for milliseconds; a click waits this long for it. */
const LOCK_PATIENCE_MS = 1_000
const LOCK_POLL_MS = 15
/** A disk that has become full or read-only is noticed within this time, at the price of one commit in it. */
const WRITE_PROOF_MS = 10_000
/** A command that holds the lock for longer than this after the last write keeps the shop from its store. */
const LOCKED_TOO_LONG_MS = 30_000

/**
 * Opens the SQLite store at `path` (`:memory:` for none), makes its folder, and brings its tables up to date.
 *
 * WAL with full sync: a committed row survives the loss of power, since the row is the only memory of a click whose
 * answer from Dots never came.
 *
 * @throws StoreError when the file cannot be opened, or holds something else.
 */
export async function openSqliteStore(
  path: string,
  { now = () => new Date() }: { now?: () => Date } = {},
): Promise<Store> {
  let database: DatabaseSync | undefined
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
    database = new DatabaseSync(path)
    const opened = database
    await step(async () => {
      // The wait for a lock is ours (see step): SQLite's own would hold up every other request of the process.
      opened.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    })
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: kyselyDatabase(opened) }) })
    await step(() => migrate(db, opened))
    const inFile = stepsIn(path)
    return {
      checkouts: checkoutQueries(db, inFile, now),
      events: eventQueries(db, inFile, now),
      outbox: outboxQueries(db, inFile, now),
      leases: leaseQueries(db, inFile, now),
      selections: selectionQueries(db, inFile, now),
      madeAt: await inFile(() => madeAt(db, now)),
      ping: pingOf(db, inFile, now),
      close: () => db.destroy(),
    }
  } catch (error) {
    if (database?.isOpen) database.close()
    throw asStoreError(error)
  }
}

/**
 * Steps that fail when the file at `path` is not the one that was opened: SQLite goes on in a deleted file without a
 * word, and all that it takes there is lost with the process.
 */
function stepsIn(path: string): Step {
  if (path === ':memory:') return step
  const { ino, dev } = statSync(path)
  return (work) =>
    step(() => {
      const there = statSync(path, { throwIfNoEntry: false })
      if (there?.ino !== ino || there.dev !== dev) {
        throw new StoreError('SQLITE_FILE_GONE', new Error('the database file was deleted or replaced'))
      }
      return work()
    })
}

/**
 * Reads at each call, and writes where the last write is no longer recent. It is a real write: on a full disk the lock
 * alone can still be had, and one that is rolled back again never gets to the disk.
 */
function pingOf(db: Kysely<Tables>, inFile: Step, now: () => Date): () => Promise<void> {
  let writtenAt = Number.NEGATIVE_INFINITY
  return () =>
    inFile(async () => {
      await sql`select 1 from checkouts limit 1`.execute(db)
      // A clock that was set back must not make an old write look recent.
      const age = Math.abs(now().getTime() - writtenAt)
      if (age < WRITE_PROOF_MS) return
      const value = now().toISOString()
      try {
        await db
          .insertInto('facts')
          .values({ name: 'written_at', value })
          .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
          .execute()
        writtenAt = Date.parse(value)
      } catch (error) {
        const isLocked = asStoreError(error).code === 'SQLITE_BUSY'
        if (!isLocked || age > LOCKED_TOO_LONG_MS) throw error
      }
    })
}

/**
 * Kysely takes no lock for SQLite, so of two processes that open a new file at once both would make its tables: the
 * lock is taken here, around all of it. A file that is up to date is opened without one.
 */
async function migrate(db: Kysely<Tables>, database: DatabaseSync): Promise<void> {
  const provider = { getMigrations: async () => migrations }
  const migrator = new Migrator({ db, provider, disableTransactions: true })
  const known = await migrator.getMigrations()
  if (known.every(({ executedAt }) => executedAt !== undefined)) return
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

/** `node:sqlite` behind the few calls that Kysely's own SQLite dialect makes. */
function kyselyDatabase(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(text) {
      const statement = database.prepare(text)
      const values = (parameters: readonly unknown[]): SQLInputValue[] => parameters.map(sqlInput)
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...values(parameters)),
        run: (parameters) =>
          // A full disk ends the transaction by itself; "there is none" would then hide what has happened.
          text === 'rollback' && !database.isTransaction
            ? { changes: 0, lastInsertRowid: 0 }
            : statement.run(...values(parameters)),
        iterate: (parameters) => statement.iterate(...values(parameters)),
      }
    },
  }
}

function sqlInput(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
    return value
  }
  throw new TypeError(`SQLite takes no ${typeof value}`)
}

/** Runs `work`, again while another process holds the lock; a step is atomic, so nothing is done twice. */
const step: Step = async (work) => {
  const giveUpAt = performance.now() + LOCK_PATIENCE_MS
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
  if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number') {
    // The low byte is the primary code, the rest says where it came from.
    return new StoreError(RESULT_CODES[error.errcode & 0xff] ?? `SQLITE_${error.errcode}`, error)
  }
  if (error instanceof Error && 'code' in error) return new StoreError(String(error.code), error)
  return new StoreError('STORE_BUG', error)
}
