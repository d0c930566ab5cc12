/**
 * What a call is for. Buyers who click come first; buyers who return have a share of their own; the work that nobody
 * waits for has a small one, so that it can neither be starved nor starve a click.
 */
export const PURPOSES = ['click', 'return', 'background'] as const
export type Purpose = (typeof PURPOSES)[number]

const SHARES: Record<Purpose, number> = { click: 1, return: 1 / 2, background: 1 / 8 }
/** How fast the estimate of a call's length follows what calls really take. */
const SMOOTHING = 0.1
const FIRST_ESTIMATE_MS = 300

/** There is no place for the call before its deadline. */
export class NoPlaceError extends Error {}

interface Waiter {
  enter: () => void
}

/** Bounds the calls in flight, in all and for each purpose, with a queue that knows how long its members can wait. */
export class CallCap {
  readonly #most: number
  readonly #clock: () => number
  readonly #inFlight: Record<Purpose, number> = { click: 0, return: 0, background: 0 }
  readonly #queues: Record<Purpose, Waiter[]> = { click: [], return: [], background: [] }
  #estimateMs = FIRST_ESTIMATE_MS

  /** `most` calls at one time; `clock`: milliseconds that never go back. */
  constructor(most: number, clock: () => number) {
    this.#most = most
    this.#clock = clock
  }

  get inFlight(): number {
    return PURPOSES.reduce((sum, purpose) => sum + this.#inFlight[purpose], 0)
  }

  get waiting(): number {
    return PURPOSES.reduce((sum, purpose) => sum + this.#queues[purpose].length, 0)
  }

  /**
   * Takes a place, and gives the function that leaves it. Who would surely wait longer than `patienceMs` is turned away
   * at once, who does wait longer when `signal` says so.
   *
   * @throws NoPlaceError
   */
  async enter(
    purpose: Purpose,
    { patienceMs, signal }: { patienceMs: number; signal: AbortSignal },
  ): Promise<() => void> {
    if (!this.#hasPlace(purpose)) {
      const ahead = this.#queues[purpose].length + 1
      if ((ahead / this.#limit(purpose)) * this.#estimateMs > patienceMs) throw new NoPlaceError()
      await this.#wait(purpose, signal)
    } else {
      this.#inFlight[purpose] += 1
    }
    const since = this.#clock()
    let isLeft = false
    return () => {
      if (isLeft) return
      isLeft = true
      this.#estimateMs += SMOOTHING * (this.#clock() - since - this.#estimateMs)
      this.#inFlight[purpose] -= 1
      this.#admit()
    }
  }

  #wait(purpose: Purpose, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const queue = this.#queues[purpose]
    const leave = () => {
      const at = queue.indexOf(waiter)
      if (at !== -1) queue.splice(at, 1)
      reject(new NoPlaceError())
    }
    const waiter: Waiter = {
      enter: () => {
        signal.removeEventListener('abort', leave)
        resolve()
      },
    }
    if (signal.aborted) return Promise.reject(new NoPlaceError())
    signal.addEventListener('abort', leave, { once: true })
    queue.push(waiter)
    return promise
  }

  #admit(): void {
    for (const purpose of PURPOSES) {
      while (this.#queues[purpose].length > 0 && this.#hasPlace(purpose)) {
        this.#inFlight[purpose] += 1
        this.#queues[purpose].shift()?.enter()
      }
    }
  }

  #limit(purpose: Purpose): number {
    return Math.max(1, Math.floor(this.#most * SHARES[purpose]))
  }

  #hasPlace(purpose: Purpose): boolean {
    if (this.inFlight >= this.#most || this.#inFlight[purpose] >= this.#limit(purpose)) return false
    // However small the cap, the others never have the last place: nobody can buy while a list of Dots hangs. A cap of
    // one call leaves no choice.
    const others = this.#inFlight.return + this.#inFlight.background
    return purpose === 'click' || this.#most === 1 || others < this.#most - 1
  }
}
