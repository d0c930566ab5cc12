import type { Log } from '../errors.ts'

/** Varies the interval, so that replicas which were started together do not run at the same moments. */
const JITTER = 0.2

interface LoopOptions {
  name: string
  everyMs: number
  log: Log
  /** One run. Errors are logged, and the loop continues. */
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
    do {
      runAgain = false
      await run(signal).catch((error: unknown) => {
        if (signal.aborted) return
        // An expected failure is its code; a stack means a bug of ours.
        const isExpected = error instanceof Error && 'code' in error && typeof error.code === 'string'
        const cause = isExpected ? { code: error.code } : { err: error }
        log.error({ event: 'job.failed', job: name, ...cause }, 'background job failed; it will run again')
      })
    } while (runAgain && !signal.aborted)
    running = undefined
    schedule(everyMs)
  }

  return {
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
