import { StoreError } from './store.ts'

/**
 * One atomic step as a value that can go to another thread: a query of a table, its arguments, and when it was asked for, in
 * milliseconds since 1970 by the clock of the service. A list, because it reaches the other thread sooner than an object.
 */
export type Step = readonly [table: string, query: string, at: number, parameters: readonly unknown[]]

/** The names of the queries of each table. */
export type QueryNames = Readonly<Record<string, readonly string[]>>

/** What an open database says of itself. */
export interface Opened {
  /** When it was created, ISO 8601. */
  createdAt: string
  queries: QueryNames
}

/** A step that is no query: whether the database can be read and written. */
export const PING = { table: 'database', query: 'ping' }

/** What came of a step: the result of its query, or why it failed. */
export type Outcome = { result: unknown } | { failure: Failure }

/** A StoreError as a value. */
interface Failure {
  code: string
  explanation: string | undefined
  cause: unknown
}

/** Runs steps that go together, and resolves when what they have written is on the disk. Never rejects. */
export type RunSteps = (steps: readonly Step[], waitedMs: number) => Promise<readonly Outcome[]>

export function failureOf({ code, explanation, cause }: StoreError): Failure {
  return { code, explanation, cause }
}

export function storeErrorOf({ code, explanation, cause }: Failure): StoreError {
  return new StoreError(code, cause, explanation)
}

/** Makes one function of many calls: those that come while some are under way go together when these are done. */
export type StepQueue = ReturnType<typeof stepQueue>

interface Waiting extends PromiseWithResolvers<unknown> {
  step: Step
  since: number
}

/** Resolves after the requests that have arrived in this turn of the event loop were read. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * Groups steps, so that many share one transaction and one flush to the disk: those of one turn of the event loop, and
 * those that come while others are under way (group commit).
 */
export function stepQueue(run: RunSteps) {
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined

  async function runWaiting(): Promise<void> {
    // The steps of all requests that have arrived in this turn go together.
    await turn()
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      const waitedMs = performance.now() - Math.min(...group.map(({ since }) => since))
      const outcomes = await run(
        group.map(({ step }) => step),
        waitedMs,
      )
      for (const [index, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[index]
        if (outcome === undefined) reject(new StoreError('STORE_BUG'))
        else if ('failure' in outcome) reject(storeErrorOf(outcome.failure))
        else resolve(outcome.result)
      }
      // The first turn sends the answers, the second reads what has come since: buyers who click again share the next flush.
      await turn()
      await turn()
    }
    running = undefined
  }

  return {
    /** Resolves to the result of the step when it is on the disk. @throws StoreError, and nothing else. */
    call(step: Step): Promise<unknown> {
      const one = { step, since: performance.now(), ...Promise.withResolvers<unknown>() }
      waiting.push(one)
      running ??= runWaiting()
      return one.promise
    },

    /** Waits until no step is left. */
    async drain(): Promise<void> {
      await running
    },
  }
}
