const WINDOW_MS = 10_000
/** Retries are never more than this share of the calls: beyond it they would be the load that keeps Dots down. */
const SHARE = 0.2
/** A quiet shop has too few calls for a share of them to mean anything. */
const ALWAYS_ALLOWED = 3

/** Counts calls and retries of the last ten seconds, and says whether one more retry is within the budget. */
export class RetryBudget {
  readonly #clock: () => number
  #calls: number[] = []
  #retries: number[] = []

  /** `clock`: milliseconds that never go back. */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  noteCall(): void {
    this.#forget()
    this.#calls.push(this.#clock())
  }

  /** Takes one retry out of the budget; false where it is used up. */
  take(): boolean {
    this.#forget()
    if (this.#retries.length >= Math.max(ALWAYS_ALLOWED, Math.floor(this.#calls.length * SHARE))) return false
    this.#retries.push(this.#clock())
    return true
  }

  #forget(): void {
    const oldest = this.#clock() - WINDOW_MS
    for (const times of [this.#calls, this.#retries]) {
      const firstKept = times.findIndex((time) => time >= oldest)
      times.splice(0, firstKept === -1 ? times.length : firstKept)
    }
  }
}
