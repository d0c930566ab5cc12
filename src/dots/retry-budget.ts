const WINDOW_MS = 10_000
/** Retries are at most this share of the calls, so that they do not add to the load that keeps Dots down. */
const MAX_RETRY_SHARE = 0.2
/** With few calls a share of them says nothing, so this many retries are always allowed. */
const MIN_RETRIES = 3

/** Counts the calls and retries of the last ten seconds and decides whether one more retry is allowed. */
export class RetryBudget {
  readonly #clock: () => number
  readonly #calls: number[] = []
  readonly #retries: number[] = []

  /** `clock`: a monotonic clock, in milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  recordCall(): void {
    this.#dropOld()
    this.#calls.push(this.#clock())
  }

  /** Takes one retry out of the budget; false where the budget is used up. */
  take(): boolean {
    this.#dropOld()
    if (this.#retries.length >= Math.max(MIN_RETRIES, Math.floor(this.#calls.length * MAX_RETRY_SHARE)))
      return false
    this.#retries.push(this.#clock())
    return true
  }

  #dropOld(): void {
    const oldest = this.#clock() - WINDOW_MS
    for (const times of [this.#calls, this.#retries]) while ((times[0] ?? oldest) < oldest) times.shift()
  }
}
