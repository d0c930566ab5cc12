import { AppError } from '../errors.ts'

/** This many failed calls in a row mean that Dots is down; a single failed call does not. */
const MAX_FAILURES_IN_A_ROW = 5
/** If half of the last twenty calls failed, Dots counts as down although some calls succeed. */
const WINDOW = 20
const MAX_FAILURES_IN_WINDOW = WINDOW / 2
const INITIAL_OPEN_MS = 5_000
const MAX_OPEN_MS = 60_000

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * A circuit breaker: rejects calls while Dots is down, so that buyers get an error page at once and Dots no extra load.
 * After the open period one call at a time is allowed as a probe. A failed probe doubles the next open period, up to a
 * minute; a successful one closes the breaker. `clock`: monotonic, in milliseconds.
 */
export function circuitBreaker(
  clock: () => number,
  onChange: (state: BreakerState, before: BreakerState) => void,
) {
  let state: BreakerState = 'closed'
  /** Whether each of the last calls succeeded. */
  let recent: boolean[] = []
  let openMs = INITIAL_OPEN_MS
  let openUntil = 0
  /** How often the breaker has opened. The outcome of a call that was allowed before the last opening is ignored. */
  let openings = 0

  const setState = (next: BreakerState): void => {
    const before = state
    state = next
    onChange(next, before)
  }

  /** Whole seconds until a call may be allowed again, at least 1; 0 where it is allowed now. */
  const secondsToWait = (): number => {
    if (state === 'closed') return 0
    const waitMs = openUntil - clock()
    if (state === 'open' && waitMs <= 0) return 0
    return Math.max(1, Math.ceil(waitMs / 1000))
  }

  const failuresOfLast = (calls: number) => recent.slice(-calls).filter((success) => !success).length

  const hasTooManyFailures = () =>
    failuresOfLast(MAX_FAILURES_IN_A_ROW) === MAX_FAILURES_IN_A_ROW ||
    (recent.length === WINDOW && failuresOfLast(WINDOW) >= MAX_FAILURES_IN_WINDOW)

  const record = (hasSucceeded: boolean, isProbe: boolean): void => {
    if (hasSucceeded && isProbe) {
      recent = []
      openMs = INITIAL_OPEN_MS
      setState('closed')
    }
    recent.push(hasSucceeded)
    if (recent.length > WINDOW) recent.shift()
    if (hasSucceeded || !(isProbe || hasTooManyFailures())) return
    if (isProbe) openMs = Math.min(openMs * 2, MAX_OPEN_MS)
    openings += 1
    openUntil = clock() + openMs
    setState('open')
  }

  /** @throws AppError `dots-breaker-open` where no call is allowed now. */
  const check = (): void => {
    const seconds = secondsToWait()
    if (seconds > 0) throw new AppError('dots-breaker-open', { retryAfterSeconds: seconds })
  }

  return {
    state: () => state,
    secondsToWait,
    check,

    /**
     * Allows one call, as a probe where the open period is over. The function that it returns takes the outcome of that
     * call: `ignored` where the call says nothing about the health of Dots.
     *
     * @throws AppError `dots-breaker-open`
     */
    enter() {
      check()
      const isProbe = state === 'open'
      if (isProbe) setState('half-open')
      const opening = openings
      let isUsed = false
      return (outcome: 'succeeded' | 'failed' | 'ignored'): void => {
        if (isUsed || opening !== openings) return
        isUsed = true
        if (outcome !== 'ignored') record(outcome === 'succeeded', isProbe)
        else if (isProbe) setState('open')
      }
    },
  }
}
