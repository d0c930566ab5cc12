import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { SqliteOptions } from './sqlite.ts'
import type { ToThread } from './sqlite-thread.ts'
import { failureOf, type Opened, type Outcome, type RunSteps, type Step, storeErrorOf } from './steps.ts'
import { StoreError } from './store.ts'

/** Beside this source, or beside the bundle. */
const FILE = new URL(`./sqlite-thread${extname(import.meta.url)}`, import.meta.url)
/** A thread that has died is started again after this time; until then the store is down. */
const RESTART_PAUSE_MS = 1_000
/** Megabytes: bounds of the thread's own heap. Its old generation holds the rows of an upgrade. */
const HEAP = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 }

/** A database in a thread of its own. */
export type DatabaseThread = Awaited<ReturnType<typeof openInThread>>

/**
 * Opens a SQLite database in a thread, which waits for the disk in place of the caller's.
 *
 * If the thread dies, the steps that it had fail, and the next ones start another one.
 *
 * @throws StoreError as `openSqlite` does.
 */
export async function openInThread(options: Omit<SqliteOptions, 'at'>, now: () => Date, file: URL = FILE) {
  let worker: Worker | undefined
  let diedAt = Number.NEGATIVE_INFINITY
  /** Takes the outcomes of the group that the thread has. */
  let answer: PromiseWithResolvers<readonly Outcome[]> | undefined

  async function start(): Promise<Opened> {
    const thread = new Worker(file, {
      workerData: { ...options, at: now().getTime() },
      execArgv: [],
      resourceLimits: HEAP,
    })
    const { promise: opened, resolve, reject } = Promise.withResolvers<Opened>()
    thread.on('message', (message) => {
      if ('outcomes' in message) answer?.resolve(message.outcomes)
      else if ('failure' in message) reject(storeErrorOf(message.failure))
      else resolve(message)
    })
    const die = (cause?: unknown) => {
      diedAt = performance.now()
      worker = undefined
      const failure = new StoreError('DATABASE_THREAD_DIED', cause)
      reject(failure)
      answer?.reject(failure)
    }
    thread.on('error', die).on('exit', () => die())
    const result = await opened
    // It keeps no process alive but while it works.
    thread.unref()
    worker = thread
    return result
  }

  async function ask(steps: readonly Step[], waitedMs: number): Promise<readonly Outcome[]> {
    if (worker === undefined) {
      if (performance.now() - diedAt < RESTART_PAUSE_MS) throw new StoreError('DATABASE_THREAD_DIED')
      diedAt = performance.now()
      await start()
    }
    answer = Promise.withResolvers()
    worker?.ref()
    post({ steps, waitedMs })
    try {
      return await answer.promise
    } finally {
      answer = undefined
      worker?.unref()
    }
  }

  const post = (message: ToThread) => worker?.postMessage(message)

  const run: RunSteps = async (steps, waitedMs) => {
    try {
      return await ask(steps, waitedMs)
    } catch (error) {
      const failure = failureOf(error instanceof StoreError ? error : new StoreError('STORE_BUG', error))
      return steps.map(() => ({ failure }))
    }
  }

  const { createdAt, queries } = await start()
  return {
    createdAt,
    queries,
    run,
    /** Closes the database and ends the thread. */
    async close(): Promise<void> {
      const closing = worker
      if (closing === undefined) return
      closing.ref()
      const ended = new Promise((resolve) => closing.once('exit', resolve))
      post('close')
      await ended
    },
  }
}
