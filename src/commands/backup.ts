import '../node-version.js'
import { existsSync, lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadConfig } from '../config.ts'
import { readEnvironment } from '../environment.ts'
import { backupSqlite } from '../store/backup.ts'
import { databasePath } from '../store/open-store.ts'
import { command, processIo, UsageError } from './command.ts'

const USAGE = `npm run backup -- FILE

Writes a whole copy of the SQLite database to FILE, also while the service runs and sells. The copy is checked before it
gets its name, so FILE is never half a copy; a file that is there is replaced, and nothing else is. It holds buyers' emails.`

/** To copy the database, no other setting is needed. */
const FALLBACKS = { DOTS_CLIENT_ID: 'not-needed', DOTS_API_KEY: 'not-needed', PUBLIC_URL: 'http://localhost' }
const POSTGRES = /^postgres(?:ql)?:/i
const MEBIBYTE = 1024 * 1024

/** Copies the database; 1 where it is not SQLite's. */
export const main = command(USAGE, async (argv, io) => {
  const { positionals } = parseArgs({ args: argv, allowPositionals: true })
  const [file, ...more] = positionals
  if (file === undefined || file === '' || file.endsWith('/') || more.length > 0)
    throw new UsageError('Name one file for the copy.')
  const environment = { dotenvPath: io.dotenvPath, fallbacks: FALLBACKS }
  if (POSTGRES.test(readEnvironment(io.env, environment).texts.DATABASE_URL ?? '')) {
    io.err('DATABASE_URL names a PostgreSQL database: make the copy with pg_dump.')
    return 1
  }
  const path = databasePath(loadConfig(io.env, environment).databaseUrl)
  try {
    const target = realTarget(file)
    if (isPartOfDatabase(target, path))
      throw new UsageError(`${file} belongs to the database itself: name another.`)
    const { checkouts, bytes } = backupSqlite(path, target)
    io.out(`${file}: ${checkouts} checkouts, ${(bytes / MEBIBYTE).toFixed(1)} MiB, checked`)
    return 0
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error
    io.err(`${file} cannot be written: ${error.message}`)
    return 1
  }
})

/**
 * The file that `file` names, behind symbolic links: the rename would replace the link itself, or a pipe, a device or
 * whatever else is there.
 *
 * @throws UsageError if it is no regular file; the error of the file system where its folder cannot be searched.
 */
function realTarget(file: string): string {
  const isNew = lstatSync(file, { throwIfNoEntry: false }) === undefined
  if (isNew) return join(realpathSync.native(dirname(file)), basename(file))
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return realpathSync.native(file)
  throw new UsageError(`${file} is no regular file: name one, or one that is not there yet.`)
}

/** Whether a file is the database, by any name, or one of those that SQLite has beside it. */
function isPartOfDatabase(file: string, path: string): boolean {
  // A database that this process cannot see is explained when it is opened.
  if (!existsSync(path)) return false
  const names = [path, realpathSync(path)]
  if (names.flatMap((name) => ['', '-wal', '-shm', '-journal'].map((end) => name + end)).includes(file)) {
    return true
  }
  const [one, other] = [file, path].map((name) => statSync(name, { throwIfNoEntry: false }))
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), processIo())
