import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreError } from './store.ts'

/** The rows hold buyers' emails. What exists already keeps the mode that its owner has given it. */
export const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
/** What is written to a deleted file within this time is lost, and restored from Dots by the sweep. */
const FILE_CHECK_INTERVAL_MS = 1_000

/**
 * Makes an empty database file and its folders, readable by their owner alone, where there are none. SQLite gives the
 * files beside it the same mode. A file that cannot be made is left to SQLite to report.
 *
 * @throws the error of the file system where a folder cannot be made.
 */
export function makeDatabaseFile(path: string): void {
  makeFolder(dirname(path))
  try {
    closeSync(openSync(path, 'ax', FILE_MODE))
  } catch {}
}

/** Not `recursive`: that never returns where a folder that exists answers ENOENT, as those of /proc do. */
function makeFolder(path: string): void {
  if (isFolder(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, FOLDER_MODE)
  } catch (error) {
    // Another process was quicker.
    if (!isFolder(path)) throw error
  }
}

/** False, too, where this process may not look. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Whether there is no file at `path`. False where this process may not look. */
export function isMissing(path: string): boolean {
  try {
    statSync(path)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code))
  }
}

/** A sentence about the failure with this code to use the database at `path`, where there is more to say than the code. */
export function explainFailure(code: string, path: string): string | undefined {
  if (code === 'SQLITE_NOTADB') return `${path} is no SQLite database: correct DATABASE_URL`
  if (code === 'SQLITE_CORRUPT') return `${path} is damaged: put back a backup`
  const refused = explainAccess(path)
  if (refused !== undefined || !['SQLITE_FULL', 'SQLITE_IOERR'].includes(code)) return refused
  return [`${path}: the disk is full or fails`, ...[path].filter(existsSync).map(ownership)].join('; ')
}

/**
 * Why this process cannot use the database at `path`: the owner and mode of each file and folder of it that it may not
 * write or, as a folder, search. Undefined where it may.
 */
function explainAccess(path: string): string | undefined {
  if (isFolder(path)) return `${path} is a folder: DATABASE_URL has to name a file`
  const parts = [nearestFolder(path), path, `${path}-wal`, `${path}-shm`].filter((part) => existsSync(part))
  const refused = parts.filter((part) => !isWritable(part)).map(ownership)
  if (refused.length === 0) return undefined
  const user = userName(process.geteuid?.())
  return `${path} cannot be written by user ${user}, who runs this: ${refused.join('; ')}`
}

/** The folder of the file, or the one that would have to hold it. */
function nearestFolder(path: string): string {
  const folder = dirname(path)
  return existsSync(folder) || folder === path ? folder : nearestFolder(folder)
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, isFolder(path) ? constants.W_OK | constants.X_OK : constants.W_OK)
    return true
  } catch {
    return false
  }
}

function ownership(path: string): string {
  const { uid, mode } = statSync(path)
  return `${path} belongs to user ${userName(uid)} and has mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`
}

function userName(uid: number | undefined): string {
  return uid === 0 ? '0 (root)' : String(uid)
}

/**
 * Throws where the file at `path` is no longer the one that was opened, if the last look is `maxAgeMs` old: SQLite
 * reports no error in a deleted file, and everything that is written there is lost with the process.
 */
export function fileCheck(path: string): (maxAgeMs?: number) => void {
  const { ino, dev } = statSync(path)
  let checkedAt = performance.now()
  return (maxAgeMs = FILE_CHECK_INTERVAL_MS) => {
    if (performance.now() - checkedAt < maxAgeMs) return
    const current = statSync(path, { throwIfNoEntry: false })
    if (current?.ino !== ino || current.dev !== dev) {
      throw new StoreError('DATABASE_FILE_REPLACED', new Error('the database file was deleted or replaced'))
    }
    checkedAt = performance.now()
  }
}
