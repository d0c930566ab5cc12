import type { Log } from '../log.ts'

/** Replicas that were started together drift apart, instead of asking for the same things at the same moment. */
const JITTER = 0.2

export interface LoopOptions {
  name: string
  everyMs: number
  log: Log
  /** One round. What it throws is logged, and the loop goes on. */
  round: (signal: AbortSignal) => Promise<void>
  random?: () => number
}

/** Runs a round again and again, never two at a time, until it is stopped. */
export class Loop {
  readonly #options: LoopOptions
  readonly #random: () => number
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #again = false

  constructor(options: LoopOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  /** The first round comes after a part of the interval, so that a crash loop does not become a storm. */
  start(): this {
    this.#schedule(this.#options.everyMs * 0.1)
    return this
  }

  /** Asks for a round now, or right after the one that is running. */
  wake(): void {
    if (this.#stop.signal.aborted) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#running = this.#run()
  }

  /** No more rounds; resolves when the one that is running has come to its end. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(delayMs: number): void {
    const jittered = delayMs * (1 - JITTER + 2 * JITTER * this.#random())
    // The loop must not keep a process alive that has nothing else to do.
    this.#timer = setTimeout(() => this.wake(), jittered).unref()
  }

  async #run(): Promise<void> {
    const { round, log, name, everyMs } = this.#options
    do {
      this.#again = false
      try {
        await round(this.#stop.signal)
      } catch (error) {
        if (!this.#stop.signal.aborted)
          log.error({ loop: name, ...failureFacts(error) }, 'a round failed; the next one tries again')
      }
    } while (this.#again && !this.#stop.signal.aborted)
    this.#running = undefined
    if (!this.#stop.signal.aborted) this.#schedule(everyMs)
  }
}

/** An expected failure is its code; a stack means a bug of ours. */
function failureFacts(error: unknown): object {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return { code: error.code }
  return { err: error }
}
