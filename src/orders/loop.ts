import type { Log } from '../errors.ts'

/** Replicas that were started together drift apart, instead of asking for the same things at the same moment. */
const JITTER = 0.2

export interface LoopOptions {
  name: string
  everyMs: number
  log: Log
  /** One run. What it throws is logged, and the loop goes on. */
  run: (signal: AbortSignal) => Promise<void>
  random?: () => number
}

/** Runs a background job again and again, never two runs at a time, until it is stopped. */
export class Loop {
  readonly #options: LoopOptions
  readonly #random: () => number
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isStarted = false
  #runAgain = false

  constructor(options: LoopOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  /** The first run comes after a part of the interval, so that a process which keeps crashing does not flood Dots. */
  start(): void {
    this.#isStarted = true
    this.#schedule(this.#options.everyMs * 0.1)
  }

  /** Asks for a run now, or right after the one that is under way. Does nothing in a process that runs no jobs. */
  runNow(): void {
    if (!this.#isStarted || this.#stop.signal.aborted) return
    if (this.#running !== undefined) {
      this.#runAgain = true
      return
    }
    clearTimeout(this.#timer)
    this.#running = this.#run()
  }

  /** No more runs; resolves when the one that is under way has ended. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(delayMs: number): void {
    const jittered = delayMs * (1 - JITTER + 2 * JITTER * this.#random())
    // The loop must not keep a process alive that has nothing else to do.
    this.#timer = setTimeout(() => this.runNow(), jittered).unref()
  }

  async #run(): Promise<void> {
    const { run, log, name, everyMs } = this.#options
    const { signal } = this.#stop
    do {
      this.#runAgain = false
      try {
        await run(signal)
      } catch (error) {
        if (!signal.aborted) {
          log.error(
            { event: 'job.failed', job: name, ...failureDetails(error) },
            'background job failed; it will run again',
          )
        }
      }
    } while (this.#runAgain && !signal.aborted)
    this.#running = undefined
    if (!signal.aborted) this.#schedule(everyMs)
  }
}

/** An expected failure is its code; a stack means a bug of ours. */
function failureDetails(error: unknown): object {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return { code: error.code }
  return { err: error }
}
