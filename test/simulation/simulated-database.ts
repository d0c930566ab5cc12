import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { currentOwner, type Owner } from './virtual-time.ts'

/** `locked`: another program holds the lock. `full`: nothing can be written. `gone`: nothing can be read either. */
export type DatabaseFault = 'locked' | 'full' | 'gone'

/** What the simulation hears of each statement, and may answer with an error that is thrown in its place. */
export interface StatementObserver {
  before(owner: Owner, statement: { text: string; isWrite: boolean }): Error | undefined
  /** Rows that were returned and changed. */
  after(owner: Owner, statement: { text: string; rows: number }): void
}

const WRITE = /^\s*(?:insert|update|delete|replace|create|alter|drop|begin immediate|vacuum|commit)/i
const RESULT_CODES = { locked: 5, full: 13, gone: 10 }

let observer: StatementObserver | undefined
const open = new Map<Owner, Set<DatabaseSync>>()

export function observeStatements(next: StatementObserver): void {
  observer = next
}

/** An error as `node:sqlite` throws it. */
export function databaseError(fault: DatabaseFault): Error {
  const errcode = RESULT_CODES[fault]
  return Object.assign(new Error(`simulated: ${fault}`), { code: 'ERR_SQLITE_ERROR', errcode })
}

/** What the end of a process does: open transactions are rolled back, locks are free. */
export function closeDatabasesOf(owner: Owner): void {
  for (const database of open.get(owner) ?? []) if (database.isOpen) database.close()
  open.delete(owner)
}

/** Makes `node:sqlite` tell of each statement. */
export function installSimulatedDatabase(): void {
  const { exec, prepare } = DatabaseSync.prototype
  DatabaseSync.prototype.exec = function (text) {
    remember(this)
    around(text, () => [exec.call(this, text), 0])
  }
  DatabaseSync.prototype.prepare = function (text) {
    remember(this)
    const statement = prepare.call(this, text)
    const { all, run, get } = statement
    return Object.assign(statement, {
      all: (...values: SQLInputValue[]) =>
        around(text, () => {
          const rows = Reflect.apply(all, statement, values)
          return [rows, rows.length]
        }),
      get: (...values: SQLInputValue[]) =>
        around(text, () => {
          const row = Reflect.apply(get, statement, values)
          return [row, row === undefined ? 0 : 1]
        }),
      run: (...values: SQLInputValue[]) =>
        around(text, () => {
          const result = Reflect.apply(run, statement, values)
          return [result, WRITE.test(text) ? Number(result.changes) : 0]
        }),
    })
  }
}

function remember(database: DatabaseSync): void {
  const owner = currentOwner()
  if (owner !== undefined) open.set(owner, (open.get(owner) ?? new Set()).add(database))
}

function around<T>(text: string, work: () => [result: T, rows: number]): T {
  const owner = currentOwner()
  if (owner === undefined || observer === undefined) return work()[0]
  const failure = observer.before(owner, { text, isWrite: WRITE.test(text) })
  if (failure !== undefined) throw failure
  const [result, rows] = work()
  observer.after(owner, { text, rows })
  return result
}
