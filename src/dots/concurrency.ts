import { AppError } from '../errors.ts'

/**
 * What a call is for. Clicks come first. Buyers who return have a share of their own. Background work has a small one,
 * so that it neither starves nor delays a click.
 */
export const PURPOSES = ['click', 'return', 'background'] as const
export type Purpose = (typeof PURPOSES)[number]

/** One value for each purpose. */
export function perPurpose<T>(make: (purpose: Purpose) => T): Record<Purpose, T> {
  return { click: make('click'), return: make('return'), background: make('background') }
}

const SHARES = { click: 1, return: 1 / 2, background: 1 / 8 }
/** Weight of the last call in the moving average of how long calls take. */
const SMOOTHING = 0.1
const INITIAL_AVERAGE_MS = 300

/** Limits the calls in flight, in total and per purpose. Calls over the limit wait in a queue per purpose. */
export class ConcurrencyLimiter {
  readonly #max: number
  readonly #clock: () => number
  readonly #limits: Record<Purpose, number>
  readonly #inFlight = perPurpose(() => 0)
  /** Each entry gives a slot to the call that waits for it. */
  readonly #queues = perPurpose((): (() => void)[] => [])
  #averageMs = INITIAL_AVERAGE_MS

  /** `max`: calls at one time. `clock`: a monotonic clock, in milliseconds. */
  constructor(max: number, clock: () => number) {
    this.#max = max
    this.#clock = clock
    this.#limits = perPurpose((purpose) => Math.max(1, Math.floor(max * SHARES[purpose])))
  }

  get inFlight(): number {
    return this.#inFlight.click + this.#inFlight.return + this.#inFlight.background
  }

  get waiting(): number {
    return this.#queues.click.length + this.#queues.return.length + this.#queues.background.length
  }

  /**
   * Takes a slot and returns the function that gives it back. Waits for one until `signal` is aborted, but not at all
   * where the wait is expected to take longer than `timeoutMs`.
   *
   * @throws AppError `dots-queue-full`
   */
  async acquire(
    purpose: Purpose,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  ): Promise<() => void> {
    if (signal.aborted) throw new AppError('dots-queue-full')
    if (this.#hasSlot(purpose)) {
      this.#inFlight[purpose] += 1
    } else {
      const position = this.#queues[purpose].length + 1
      const expectedMs = (position / this.#limits[purpose]) * this.#averageMs
      if (expectedMs > timeoutMs) throw new AppError('dots-queue-full')
      await this.#wait(purpose, signal)
    }
    const startedAt = this.#clock()
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      this.#averageMs += SMOOTHING * (this.#clock() - startedAt - this.#averageMs)
      this.#inFlight[purpose] -= 1
      this.#assignSlots()
    }
  }

  #wait(purpose: Purpose, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const queue = this.#queues[purpose]
    const leave = () => {
      queue.splice(queue.indexOf(assign), 1)
      reject(new AppError('dots-queue-full'))
    }
    const assign = () => {
      signal.removeEventListener('abort', leave)
      resolve()
    }
    signal.addEventListener('abort', leave, { once: true })
    queue.push(assign)
    return promise
  }

  #assignSlots(): void {
    for (const purpose of PURPOSES) {
      while (this.#queues[purpose].length > 0 && this.#hasSlot(purpose)) {
        this.#inFlight[purpose] += 1
        this.#queues[purpose].shift()?.()
      }
    }
  }

  #hasSlot(purpose: Purpose): boolean {
    if (this.inFlight >= this.#max || this.#inFlight[purpose] >= this.#limits[purpose]) return false
    // One slot is always kept for clicks, so that slow calls for other purposes never stop sales. With a limit of one
    // call that is impossible.
    const others = this.#inFlight.return + this.#inFlight.background
    return purpose === 'click' || this.#max === 1 || others < this.#max - 1
  }
}
