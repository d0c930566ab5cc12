import { AppError, isDotsError, type Log } from '../errors.ts'
import { circuitBreaker } from './breaker.ts'
import { Call, callsUnderWay } from './call.ts'
import { concurrencyLimiter, PURPOSES, type Purpose, perPurpose } from './concurrency.ts'
import { retryBudget } from './retry-budget.ts'

/** A retry comes after a random delay, so that calls that failed together are not repeated together. */
const MIN_RETRY_DELAY_MS = 50
const RETRY_SPREAD_MS = 200
/** A retry needs this much time before the deadline, or it would be aborted halfway. */
const MIN_RETRY_MS = 1_000

export interface GuardOptions {
  /** Calls at one time. */
  maxInFlight: number
  log: Log
  /** A monotonic clock, in milliseconds. */
  clock?: () => number
  /** From 0 to below 1, like `Math.random`. */
  random?: () => number
}

/**
 * Controls every call to Dots: limited concurrency with a queue, and one deadline for all of it. Each purpose has its own
 * circuit breaker, retry budget and pause that Dots can ask for, so that trouble with one of them does not stop the
 * others. Changes of a breaker are logged.
 */
export function callGuard(options: GuardOptions) {
  const { maxInFlight, log, clock = () => performance.now(), random = Math.random } = options
  const limiter = concurrencyLimiter(maxInFlight, clock)
  const underWay = callsUnderWay()
  const lanes = perPurpose((purpose) => ({
    breaker: circuitBreaker(clock, (state, before) => {
      // An outage is reported once, when it begins and when it is over, and not with every probe.
      const level = state === 'closed' ? 'info' : before === 'closed' ? 'warn' : 'debug'
      log[level]({ event: `dots.breaker.${state}`, purpose }, `circuit breaker ${state}`)
    }),
    budget: retryBudget(clock),
    /** Calls in flight and in the queue. */
    calls: new Set<Call>(),
    isAborted: false,
    pausedUntil: 0,
  }))

  const pausedSeconds = (purpose: Purpose) => {
    const { pausedUntil } = lanes[purpose]
    return pausedUntil === 0 ? 0 : Math.max(0, Math.ceil((pausedUntil - clock()) / 1000))
  }

  const checkPause = (purpose: Purpose): void => {
    const seconds = pausedSeconds(purpose)
    if (seconds > 0) throw new AppError('dots-paused', { retryAfterSeconds: seconds })
  }

  /** How long a retry waits, in milliseconds; undefined where there is none. Takes it out of the budget. */
  const delayOfRetry = (
    { breaker, budget }: (typeof lanes)[Purpose],
    error: AppError,
    deadline: number,
  ): number | undefined => {
    const delayMs = MIN_RETRY_DELAY_MS + RETRY_SPREAD_MS * random() + pauseMsOf(error)
    if (clock() + delayMs + MIN_RETRY_MS > deadline) return undefined
    // If this failure has opened the breaker, the caller gets this error: it says more than `dots-breaker-open`.
    return breaker.secondsToWait() > 0 || !budget.take() ? undefined : delayMs
  }

  return {
    /** The state of the calls, for `/readyz`. */
    status: () => ({
      breakers: perPurpose((purpose) => lanes[purpose].breaker.state()),
      pausedSeconds: perPurpose(pausedSeconds),
      inFlight: limiter.inFlight(),
      waiting: limiter.waiting(),
    }),

    /** Aborts all calls for these purposes, in flight and in the queue, and rejects those that come later. */
    abort(purposes: readonly Purpose[] = PURPOSES): void {
      for (const lane of purposes.map((purpose) => lanes[purpose])) {
        lane.isAborted = true
        for (const call of lane.calls) call.abort()
      }
    },

    /**
     * Makes a call, and once more where that may help and the deadline and the retry budget allow it. `attempt` has to
     * end when its call is aborted.
     *
     * @throws AppError `dots-…`: what `attempt` throws, or why there was no attempt.
     */
    async call<T>(purpose: Purpose, deadlineMs: number, attempt: (call: Call) => Promise<T>): Promise<T> {
      const lane = lanes[purpose]
      const deadline = clock() + deadlineMs
      const call = new Call(deadlineMs)
      underWay.add(call)
      lane.calls.add(call)
      if (lane.isAborted) call.abort()
      /** Why the first attempt has failed. */
      let before: AppError | undefined
      try {
        for (;;) {
          try {
            // A call that would be rejected anyway is rejected at once, not after the wait for a slot.
            checkPause(purpose)
            lane.breaker.check()
            const slot = limiter.acquire(purpose, deadline - clock(), call)
            const release = slot instanceof Promise ? await slot : slot
            try {
              checkPause(purpose)
              const report = lane.breaker.enter()
              if (before === undefined) lane.budget.recordCall()
              try {
                const result = await attempt(call)
                report('succeeded')
                return result
              } catch (error) {
                const pauseMs = pauseMsOf(error)
                if (pauseMs > 0) lane.pausedUntil = Math.max(lane.pausedUntil, clock() + pauseMs)
                report(lane.isAborted ? 'ignored' : outcomeOf(error))
                throw error
              }
            } finally {
              release()
            }
          } catch (error) {
            if (before !== undefined) {
              if (isDotsError(error)) error.sessionMayExist ||= before.sessionMayExist
              throw error
            }
            if (!isDotsError(error) || !error.kind.retry || call.reason !== undefined) throw error
            const delayMs = delayOfRetry(lane, error, deadline)
            if (delayMs === undefined) throw error
            before = error
            // Where the call is aborted meanwhile, the attempt that follows ends at once.
            await delay(delayMs, call)
          }
        }
      } finally {
        underWay.delete(call)
        lane.calls.delete(call)
      }
    },
  }
}

function delay(ms: number, call: Call): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      call.onAbort = undefined
      resolve()
    }
    const timer = setTimeout(end, ms)
    call.onAbort = end
  })
}

/** What a failed call says about the health of Dots. */
function outcomeOf(error: unknown): 'succeeded' | 'failed' | 'ignored' {
  if (!isDotsError(error)) return 'failed'
  if (error.kind.isForeign || pauseMsOf(error) > 0) return 'ignored'
  return error.kind.outage ? 'failed' : 'succeeded'
}

/** How long Dots has asked not to be called, in milliseconds. */
function pauseMsOf(error: unknown): number {
  return isDotsError(error) ? (error.pauseSeconds ?? 0) * 1000 : 0
}
