import { resolve } from 'node:path'
import { type Opened, PING, type QueryNames, type RunSteps, type Step, stepQueue } from './steps.ts'
import { StoreError, type StoreOptions } from './store.ts'
import type { TableQueries } from './tables.ts'
import { openInThread } from './thread.ts'

/** The path that a database URL names: an absolute one, or `:memory:`. */
export function databasePath(databaseUrl: string): string {
  const path = databaseUrl.replace(/^sqlite:/, '')
  return path === ':memory:' ? path : resolve(path)
}

/**
 * Queries that may read much. They have a thread and a connection of their own, started at first use, so that nothing else
 * waits for them.
 */
const READS_MUCH: Partial<Record<string, readonly string[]>> = {
  checkouts: ['list', 'countSales', 'soldOut', 'countLinkSales', 'endedRange'],
  events: ['named'],
  warm: ['stock'],
} satisfies { [Table in keyof TableQueries]?: readonly (keyof TableQueries[Table])[] }

interface Database extends Opened {
  run: RunSteps
  close: () => Promise<void>
}

/**
 * Opens the store that a database URL names: `sqlite:PATH`, or `sqlite::memory:`. Its methods are atomic, resolve when
 * what they have written is on the disk, and throw StoreError and nothing else.
 *
 * @throws StoreError when it cannot be opened.
 */
export async function openStore(databaseUrl: string, options: StoreOptions = {}) {
  const { now = () => new Date(), mustExist = false, withoutThread = false, threadFile } = options
  const path = databasePath(databaseUrl)
  const open = withoutThread ? openHere : openInThread
  const database: Database = await open({ path, mustExist }, now, threadFile)
  const steps = stepQueue(database.run)
  const isShared = path !== ':memory:' && !withoutThread
  let reader: Promise<{ database: Database; steps: ReturnType<typeof stepQueue> }> | undefined
  let isClosed = false

  async function openReader() {
    const opened = await openInThread({ path, mustExist: true, readOnly: true }, now, threadFile)
    return { database: opened, steps: stepQueue(opened.run) }
  }

  function call(table: string, query: string, parameters: readonly unknown[]): Promise<unknown> {
    if (isClosed) return Promise.reject(new StoreError('DATABASE_CLOSED'))
    const step: Step = [table, query, now().getTime(), parameters]
    if (!isShared || READS_MUCH[table]?.includes(query) !== true) return steps.call(step)
    // One that could not be opened is opened again by the next query.
    reader ??= openReader().catch((error: unknown) => {
      reader = undefined
      throw error
    })
    return reader.then((opened) => opened.steps.call(step))
  }

  return {
    ...facade(database.queries, call),
    /** When this database was created (ISO 8601): older sessions belong to an earlier database. */
    createdAt: database.createdAt,
    /**
     * Resolves when the database can be read, and a click could be written within the last seconds: it writes one every
     * ten seconds, however often it is called. A lock that another process holds for a moment does not fail it.
     *
     * @throws StoreError
     */
    ping: async (): Promise<void> => void (await call(PING.table, PING.query, [])),
    /** Waits for the steps that were asked for, and closes the database. */
    async close(): Promise<void> {
      if (isClosed) return
      isClosed = true
      const read = await reader?.catch(() => undefined)
      for (const one of [{ database, steps }, read]) {
        await one?.steps.drain()
        await one?.database.close()
      }
    },
  }
}

/** An open store. */
export type Store = Awaited<ReturnType<typeof openStore>>

async function openHere(options: { path: string; mustExist: boolean }, now: () => Date): Promise<Database> {
  const { openSqlite } = await import('./sqlite.ts')
  const { close, ...database } = await openSqlite({ ...options, at: now().getTime() })
  return { ...database, close: async () => close() }
}

type Send = (table: string, query: string, parameters: readonly unknown[]) => Promise<unknown>

/** The queries of each table, as functions that send their name and arguments. */
function facade(names: QueryNames, send: Send): TableQueries {
  const tables = Object.entries(names).map(([table, queries]) => {
    const functions = queries.map((query) => [
      query,
      (...parameters: unknown[]) => send(table, query, parameters),
    ])
    return [table, Object.fromEntries(functions)] as const
  })
  // The names are those of the very queries that run in the end.
  return Object.fromEntries(tables) as unknown as TableQueries
}
