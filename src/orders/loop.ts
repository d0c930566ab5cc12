import { setImmediate as nextTurn } from 'node:timers/promises'
import { hasCode, type Log, loggedCause } from '../errors.ts'
import { MAX_ROWS } from '../store/store.ts'

/** Varies the interval, so that replicas which were started together do not run at the same moments. */
const JITTER = 0.2

interface LoopOptions {
  name: string
  everyMs: number
  log: Log
  /** One run. Errors are logged, and the loop continues: after `everyMs`, or earlier if it resolves to fewer milliseconds. */
  run: (signal: AbortSignal) => Promise<unknown>
}

/** Runs a background job again and again, never two runs at a time, from `start` until `stop`. */
export function backgroundLoop({ name, everyMs, log, run }: LoopOptions) {
  const stopping = new AbortController()
  const { signal } = stopping
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isStarted = false
  let runAgain = false
  let runsEnded = 0

  function schedule(delayMs: number): void {
    if (signal.aborted) return
    // Unref'd: the loop must not keep a process alive that has nothing else to do.
    timer = setTimeout(runNow, delayMs * (1 - JITTER + 2 * JITTER * Math.random())).unref()
  }

  /** Asks for a run now, or right after the one that is under way. Does nothing in a process that runs no jobs. */
  function runNow(): void {
    if (!isStarted || signal.aborted) return
    runAgain = running !== undefined
    if (runAgain) return
    clearTimeout(timer)
    running = runAndSchedule()
  }

  async function runAndSchedule(): Promise<void> {
    let delayMs = everyMs
    do {
      runAgain = false
      delayMs = await runOnce()
    } while (runAgain && !signal.aborted)
    running = undefined
    schedule(delayMs)
  }

  /** Resolves to the milliseconds until the next run. */
  async function runOnce(): Promise<number> {
    try {
      const delayMs = await run(signal)
      return typeof delayMs === 'number' ? Math.min(delayMs, everyMs) : everyMs
    } catch (error) {
      if (signal.aborted) return everyMs
      const cause = loggedCause(error)
      log.error({ event: 'job.failed', job: name, ...cause }, 'background job failed; it will run again')
      return everyMs
    } finally {
      runsEnded += 1
    }
  }

  return {
    /** How many runs have ended, in whatever way. */
    runsEnded: () => runsEnded,
    /** The first run comes after a part of the interval, so that a process which keeps crashing does not flood Dots. */
    start(): void {
      isStarted = true
      schedule(everyMs * 0.1)
    },
    runNow,
    /** No more runs; resolves when the one that is under way has ended. */
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}

/** Lets the event loop go, so that requests are served between two parts of long work. */
export { nextTurn }

/** Repeats a step that changes at most {@link MAX_ROWS} rows and resolves to how many, until no more are left. */
export async function inBatches(step: () => Promise<number>): Promise<void> {
  while ((await step()) >= MAX_ROWS) await nextTurn()
  await nextTurn()
}

/** Whether an error of a call to Dots means that there was no call: it says nothing of what was asked for. */
export function isNotCalled(error: unknown): boolean {
  return hasCode(error, 'dots-breaker-open', 'dots-paused', 'dots-queue-full')
}
