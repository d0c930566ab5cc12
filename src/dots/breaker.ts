/** So many failed calls in a row say that Dots is down, not that one call had bad luck. */
const FAILURES_IN_A_ROW = 5
/** Half of the last twenty: Dots answers now and then, and most buyers wait for nothing. */
const WINDOW = 20
const FAILURES_IN_WINDOW = WINDOW / 2
const FIRST_REST_MS = 5_000
const LONGEST_REST_MS = 60_000

export type BreakerState = 'closed' | 'open' | 'probing'

/** A call that was let through; it has to say once how it went. */
export interface Passage {
  succeeded(): void
  failed(): void
  /** The call was not made after all, or says nothing of Dots' health. */
  withdrawn(): void
}

export interface BreakerOptions {
  /** Milliseconds of a clock that never goes back. */
  clock: () => number
  changed: (state: BreakerState) => void
}

/**
 * Keeps calls away from a Dots that is down, so that buyers get their answer at once and Dots its rest. After a rest one
 * call at a time is let through as a probe; a failed one doubles the rest, up to a minute.
 */
export class Breaker {
  readonly #options: BreakerOptions
  #state: BreakerState = 'closed'
  #inARow = 0
  #recent: boolean[] = []
  #restMs = FIRST_REST_MS
  #openUntil = 0
  /** How often it has opened: a call that was let through before that tells of a time that is over. */
  #openings = 0

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whole seconds until a call may pass again, at least 1; 0 where it may now. */
  get secondsToWait(): number {
    if (this.#state === 'closed') return 0
    const waitMs = this.#openUntil - this.#options.clock()
    if (this.#state === 'open' && waitMs <= 0) return 0
    return Math.max(1, Math.ceil(waitMs / 1000))
  }

  /** Lets a call through, as a probe where the rest is over; undefined where it has to stay away. */
  enter(): Passage | undefined {
    if (this.secondsToWait > 0) return undefined
    const isProbe = this.#state === 'open'
    if (isProbe) this.#become('probing')
    const opening = this.#openings
    let isOver = false
    const once = (end: () => void) => () => {
      if (!isOver && opening === this.#openings) end()
      isOver = true
    }
    return {
      succeeded: once(() => this.#succeeded(isProbe)),
      failed: once(() => this.#failed(isProbe)),
      withdrawn: once(() => {
        if (isProbe) this.#become('open')
      }),
    }
  }

  #succeeded(isProbe: boolean): void {
    if (isProbe) {
      this.#recent = []
      this.#restMs = FIRST_REST_MS
      this.#become('closed')
    }
    this.#inARow = 0
    this.#note(true)
  }

  #failed(isProbe: boolean): void {
    this.#inARow += 1
    this.#note(false)
    if (isProbe) {
      this.#restMs = Math.min(this.#restMs * 2, LONGEST_REST_MS)
      this.#open()
    } else if (this.#isTooMuch()) {
      this.#open()
    }
  }

  #isTooMuch(): boolean {
    const failures = this.#recent.filter((success) => !success).length
    return (
      this.#inARow >= FAILURES_IN_A_ROW || (this.#recent.length === WINDOW && failures >= FAILURES_IN_WINDOW)
    )
  }

  #note(success: boolean): void {
    this.#recent.push(success)
    if (this.#recent.length > WINDOW) this.#recent.shift()
  }

  #open(): void {
    this.#openings += 1
    this.#openUntil = this.#options.clock() + this.#restMs
    this.#become('open')
  }

  #become(state: BreakerState): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.changed(state)
  }
}
