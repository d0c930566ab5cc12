import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { asStoreError } from './sqlite-errors.ts'
import {
  failureOf,
  type Opened,
  type Outcome,
  PING,
  type RunSteps,
  type Step,
  storeErrorOf,
} from './steps.ts'
import { StoreError } from './store.ts'
import { type Tables, tableQueries } from './tables.ts'

/** Another process (a command beside the service) holds the lock for milliseconds; a click waits this long for it. */
const LOCK_TIMEOUT_MS = 1_000
const LOCK_POLL_MS = 15
/** A full or read-only disk is noticed within this time. It takes one commit each time. */
const WRITE_CHECK_INTERVAL_MS = 10_000
/** The ping fails if the lock of another process has prevented writing for longer than this. */
const MAX_LOCKED_MS = 30_000

/** An open database. It is used by one thread, which runs one group of steps after another. */
export interface SqliteEngine extends Omit<Opened, 'createdAt'> {
  run: RunSteps
  /** Writes a row as a click does, unless it has done so a moment ago. */
  proveWrite: (at: number) => Promise<void>
  close: () => void
}

/** Runs steps on an open database. `checkFile` throws where its file is no longer the one that was opened. */
export function sqliteEngine(
  database: DatabaseSync,
  db: Kysely<Tables>,
  checkFile: (maxAgeMs?: number) => void,
): SqliteEngine {
  /** The clock of the service when the step under way was asked for. */
  let at = 0
  const tables: Record<string, Record<string, (...parameters: never[]) => Promise<unknown>>> = tableQueries(
    db,
    () => new Date(at),
  )
  const control = new Map(
    [
      'begin',
      'begin immediate',
      'commit',
      'rollback',
      'savepoint step',
      'release step',
      'rollback to step',
    ].map((text) => [text, database.prepare(text)] as const),
  )
  const execute = (text: string) => control.get(text)?.run()

  async function call([table, query, time, parameters]: Step): Promise<unknown> {
    at = time
    return tables[table]?.[query]?.(...(parameters as never[]))
  }

  /**
   * Runs steps in one transaction. At first without savepoints, which cost more than most steps: where a step fails, nothing
   * of them stays, and they run again, each in a savepoint of its own, so that one that fails takes no other along. Returns
   * those that another process's lock has kept from writing; nothing of them was changed.
   */
  async function transaction(
    steps: readonly Step[],
    begin: 'begin' | 'begin immediate',
    outcomes: Map<Step, Outcome>,
    hasSavepoints = false,
  ): Promise<readonly Step[]> {
    const locked: Step[] = []
    const fail = (step: Step, failure: StoreError) => {
      if (failure.code === 'SQLITE_BUSY') locked.push(step)
      else outcomes.set(step, { failure: failureOf(failure) })
    }
    try {
      checkFile()
      execute(begin)
      for (const step of steps) {
        if (hasSavepoints) execute('savepoint step')
        try {
          outcomes.set(step, { result: await call(step) })
        } catch (error) {
          // A full disk ends the transaction by itself.
          if (!hasSavepoints || !database.isOpen || !database.isTransaction) throw error
          execute('rollback to step')
          fail(step, asStoreError(error))
        }
        if (hasSavepoints) execute('release step')
      }
      execute('commit')
      return locked
    } catch (error) {
      if (database.isOpen && database.isTransaction) execute('rollback')
      const isShared = steps.length > 1
      if (isShared && !hasSavepoints) return transaction(steps, begin, outcomes, true)
      const failure = asStoreError(error)
      locked.length = 0
      for (const step of steps) {
        // Where the transaction fails as a whole, each step is tried without the others.
        if (isShared && failure.code !== 'SQLITE_BUSY') {
          locked.push(...(await transaction([step], begin, outcomes)))
        } else fail(step, failure)
      }
      return locked
    }
  }

  async function run(steps: readonly Step[], waitedMs: number): Promise<Outcome[]> {
    const giveUpAt = performance.now() + LOCK_TIMEOUT_MS - waitedMs
    const outcomes = new Map<Step, Outcome>()
    let left = steps.filter(([table]) => table !== PING.table)
    if (left.length > 0) left = [...(await transaction(left, 'begin', outcomes))]
    while (left.length > 0) {
      if (performance.now() > giveUpAt) {
        for (const step of left) outcomes.set(step, { failure: failureOf(new StoreError('SQLITE_BUSY')) })
        break
      }
      await sleep(LOCK_POLL_MS * (0.5 + Math.random()))
      left = [...(await transaction(left, 'begin immediate', outcomes))]
    }
    // Not in the transaction of the others: a ping has to see whether one can be committed.
    for (const step of steps) {
      const [table, , time] = step
      if (table === PING.table) outcomes.set(step, await ping(time))
    }
    return steps.map((step) => outcomes.get(step) ?? { failure: failureOf(new StoreError('STORE_BUG')) })
  }

  const proveWrite = writeCheck(async (time) => {
    const step: Step = ['checkouts', 'proveWrite', time, []]
    // It waits for no lock: the next ping comes soon.
    const [outcome] = await run([step], LOCK_TIMEOUT_MS)
    if (outcome !== undefined && 'failure' in outcome) throw storeErrorOf(outcome.failure)
  })

  async function ping(time: number): Promise<Outcome> {
    try {
      checkFile(0)
      await sql`select 1 from checkouts limit 1`.execute(db)
      await proveWrite(time)
      return { result: undefined }
    } catch (error) {
      return { failure: failureOf(asStoreError(error)) }
    }
  }

  const names = Object.entries(tables).map(([table, queries]) => [table, Object.keys(queries)] as const)
  return { queries: Object.fromEntries(names), run, proveWrite, close: () => database.close() }
}

/**
 * Writes as a click does if the last time is too long ago. It has to be a real commit of such a row: on a full disk the
 * lock can still be taken, and a smaller row may still fit. A lock that another process holds for a moment does not fail it.
 */
function writeCheck(write: (at: number) => Promise<void>): (at: number) => Promise<void> {
  let openedAt: number | undefined
  let writtenAt = Number.NEGATIVE_INFINITY
  return async (at) => {
    openedAt ??= at
    // A clock that was set back must not make an old write look recent.
    if (Math.abs(at - writtenAt) < WRITE_CHECK_INTERVAL_MS) return
    try {
      await write(at)
      writtenAt = at
    } catch (error) {
      const isLocked = asStoreError(error).code === 'SQLITE_BUSY'
      if (!isLocked || Math.abs(at - Math.max(writtenAt, openedAt)) > MAX_LOCKED_MS) throw error
    }
  }
}
