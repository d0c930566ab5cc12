import { AppError } from '../errors.ts'

/** So many failed calls in a row mean that Dots is down, not that one call had bad luck. */
const MAX_FAILURES_IN_A_ROW = 5
/** Half of the last twenty calls: Dots responds now and then, but most buyers would wait for nothing. */
const WINDOW = 20
const MAX_FAILURES_IN_WINDOW = WINDOW / 2
const INITIAL_OPEN_MS = 5_000
const MAX_OPEN_MS = 60_000

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * Allows one call. It has to be used once with the outcome of the call: `ignored` where the call was not made or says
 * nothing about the health of Dots.
 */
export type Permit = (outcome: 'succeeded' | 'failed' | 'ignored') => void

/**
 * A circuit breaker: rejects calls while Dots is down, so that buyers get an error page at once and Dots no extra load.
 * After the open period one call at a time is allowed as a probe. A failed probe doubles the next open period, up to a
 * minute; a successful one closes the breaker.
 */
export class Breaker {
  readonly #clock: () => number
  readonly #onChange: (state: BreakerState) => void
  #state: BreakerState = 'closed'
  #failuresInARow = 0
  /** Whether each of the last calls succeeded. */
  #recent: boolean[] = []
  #openMs = INITIAL_OPEN_MS
  #openUntil = 0
  /** How often the breaker has opened: the outcome of a call that was allowed before the last time is out of date. */
  #openings = 0

  /** `clock`: a monotonic clock, in milliseconds. */
  constructor(clock: () => number, onChange: (state: BreakerState) => void) {
    this.#clock = clock
    this.#onChange = onChange
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whole seconds until a call may be allowed again, at least 1; 0 where it is allowed now. */
  get secondsToWait(): number {
    if (this.#state === 'closed') return 0
    const waitMs = this.#openUntil - this.#clock()
    if (this.#state === 'open' && waitMs <= 0) return 0
    return Math.max(1, Math.ceil(waitMs / 1000))
  }

  /** @throws AppError `dots-breaker-open` where no call is allowed now. */
  check(): void {
    const seconds = this.secondsToWait
    if (seconds > 0) throw new AppError('dots-breaker-open', { retryAfterSeconds: seconds })
  }

  /**
   * Allows a call, as a probe where the open period is over.
   *
   * @throws AppError `dots-breaker-open`
   */
  enter(): Permit {
    this.check()
    const isProbe = this.#state === 'open'
    if (isProbe) this.#setState('half-open')
    const opening = this.#openings
    let isUsed = false
    return (outcome) => {
      if (isUsed || opening !== this.#openings) return
      isUsed = true
      if (outcome === 'succeeded') this.#succeeded(isProbe)
      else if (outcome === 'failed') this.#failed(isProbe)
      else if (isProbe) this.#setState('open')
    }
  }

  #succeeded(isProbe: boolean): void {
    if (isProbe) {
      this.#recent = []
      this.#openMs = INITIAL_OPEN_MS
      this.#setState('closed')
    }
    this.#failuresInARow = 0
    this.#record(true)
  }

  #failed(isProbe: boolean): void {
    this.#failuresInARow += 1
    this.#record(false)
    if (isProbe) this.#openMs = Math.min(this.#openMs * 2, MAX_OPEN_MS)
    else if (!this.#hasTooManyFailures()) return
    this.#openings += 1
    this.#openUntil = this.#clock() + this.#openMs
    this.#setState('open')
  }

  #hasTooManyFailures(): boolean {
    if (this.#failuresInARow >= MAX_FAILURES_IN_A_ROW) return true
    const failures = this.#recent.filter((success) => !success).length
    return this.#recent.length === WINDOW && failures >= MAX_FAILURES_IN_WINDOW
  }

  #record(success: boolean): void {
    this.#recent.push(success)
    if (this.#recent.length > WINDOW) this.#recent.shift()
  }

  #setState(state: BreakerState): void {
    this.#state = state
    this.#onChange(state)
  }
}
