import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { FILE_MODE, isMissing } from './database-file.ts'
import { checkTables } from './sqlite.ts'
import { asStoreError, explained, missing } from './sqlite-errors.ts'
import { StoreError } from './store.ts'

/** Only the start of another process keeps readers out, and for milliseconds. */
const LOCK_TIMEOUT_MS = 5_000

/**
 * Writes a whole copy of the SQLite database at `path` to `target`, beside any number of writers: of one snapshot, under a
 * temporary name, checked, flushed to the disk, and then renamed. Only the rename replaces a file that is there. What
 * killed runs have left is removed. Blocks this process meanwhile.
 *
 * @returns how many checkouts the copy has, and its size.
 * @throws StoreError where the database is not ours or the copy is damaged; the error of the file system where the copy
 * cannot be written.
 */
export function backupSqlite(path: string, target: string): { checkouts: number; bytes: number } {
  if (isMissing(path)) throw missing(path)
  const folder = dirname(target)
  const name = basename(target)
  for (const entry of readdirSync(folder)) {
    if (isLeftover(entry, name)) rmSync(join(folder, entry), { force: true })
  }
  const temporary = join(folder, `.${name}.${process.pid}.part`)
  try {
    closeSync(openSync(temporary, 'wx', FILE_MODE))
    const checkouts = copy(path, temporary)
    flush(temporary)
    renameSync(temporary, target)
    flush(folder)
    return { checkouts, bytes: statSync(target).size }
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** `VACUUM INTO` reads one snapshot. SQLite's backup API would start again at each write of another process. */
function copy(from: string, to: string): number {
  try {
    using database = new DatabaseSync(from, { timeout: LOCK_TIMEOUT_MS })
    if (checkTables(database, from)) throw missing(from)
    return copyChecked(database, from, to)
  } catch (error) {
    throw explained(asStoreError(error), from)
  }
}

function copyChecked(database: DatabaseSync, from: string, to: string): number {
  try {
    database.prepare('vacuum into ?').run(to)
    removeWarm(to)
    return countChecked(to)
  } catch (error) {
    const failure = asStoreError(error)
    // Only damage is certainly in the database: a disk that is full, for example, is rather that of the copy.
    if (failure.code === 'SQLITE_CORRUPT') throw failure
    throw new StoreError(failure.code, failure.cause, `${from} could not be copied to ${dirname(to)}`)
  }
}

/** Sessions made ahead may be handed out after this copy was made, and again by a shop that goes on with it. */
function removeWarm(path: string): void {
  using database = new DatabaseSync(path)
  const isThere = database.prepare("select 1 from sqlite_schema where name = 'warm_sessions'").get()
  if (isThere !== undefined) database.exec('delete from warm_sessions')
}

/** How many checkouts a database has that is undamaged. */
function countChecked(path: string): number {
  using database = new DatabaseSync(path, { readOnly: true })
  const { integrity_check: verdict } = database.prepare('pragma integrity_check(1)').get() ?? {}
  if (verdict !== 'ok') {
    throw new StoreError('SQLITE_CORRUPT', undefined, `the copy is damaged, so the database is: ${verdict}`)
  }
  checkTables(database, path)
  return Number(database.prepare('select count(*) as count from checkouts').get()?.count)
}

/** Waits until a file, or the names in a folder, are on the disk. */
function flush(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A temporary file of a process that is gone. */
function isLeftover(entry: string, name: string): boolean {
  const rest = entry.startsWith(`.${name}.`) ? entry.slice(name.length + 2) : ''
  const [, pid] = /^(\d+)\.part(?:-journal)?$/.exec(rest) ?? []
  return pid !== undefined && (Number(pid) === process.pid || !isRunning(Number(pid)))
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
