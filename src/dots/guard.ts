import { setTimeout as sleep } from 'node:timers/promises'
import type { BaseLogger } from 'pino'
import { AppError, isDotsError } from '../errors.ts'
import { Breaker, type BreakerState } from './breaker.ts'
import { ConcurrencyLimiter, PURPOSES, type Purpose, perPurpose } from './concurrency.ts'
import { RetryBudget } from './retry-budget.ts'

/** A retry comes after a random delay, so that calls that failed together are not repeated together. */
const MIN_RETRY_DELAY_MS = 50
const RETRY_SPREAD_MS = 200
/** A retry needs this much time before the deadline, or it would be aborted halfway. */
const MIN_RETRY_MS = 1_000

export interface GuardOptions {
  maxInFlight: number
  /** Gets one line for each change of a circuit breaker. */
  log: Pick<BaseLogger, 'info' | 'warn' | 'error'>
  /** A monotonic clock, in milliseconds. */
  clock?: () => number
  /** From 0 to below 1, like `Math.random`. */
  random?: () => number
}

/** Makes the call; it has to end when the signal is aborted. */
type Attempt<T> = (signal: AbortSignal) => Promise<T>

interface Lane {
  breaker: Breaker
  budget: RetryBudget
  /** Calls in flight and in the queue. */
  calls: Set<AbortController>
  isAborted: boolean
}

/**
 * Controls every call to Dots: limited concurrency with a queue, a pause for all calls that Dots can ask for, a circuit
 * breaker and a retry budget for each purpose, and one deadline for all of it.
 */
export class Guard {
  readonly #clock: () => number
  readonly #random: () => number
  readonly #limiter: ConcurrencyLimiter
  readonly #lanes: Record<Purpose, Lane>
  #pausedUntil = 0

  constructor({ maxInFlight, log, clock = () => performance.now(), random = Math.random }: GuardOptions) {
    this.#clock = clock
    this.#random = random
    this.#limiter = new ConcurrencyLimiter(maxInFlight, clock)
    this.#lanes = perPurpose((purpose) => ({
      breaker: new Breaker(clock, (state) => logBreaker(log, purpose, state)),
      budget: new RetryBudget(clock),
      calls: new Set(),
      isAborted: false,
    }))
  }

  /** The state of the calls, for `/readyz`. */
  get status() {
    return {
      breakers: perPurpose((purpose) => this.#lanes[purpose].breaker.state),
      pausedSeconds: this.#pausedSeconds,
      inFlight: this.#limiter.inFlight,
      waiting: this.#limiter.waiting,
    }
  }

  /** Aborts all calls for these purposes, in flight and in the queue, and rejects those that come later. */
  abort(purposes: readonly Purpose[] = PURPOSES): void {
    for (const lane of purposes.map((purpose) => this.#lanes[purpose])) {
      lane.isAborted = true
      for (const call of lane.calls) call.abort()
    }
  }

  /**
   * Makes a call, and once more where that may help and the deadline and the retry budget allow it.
   *
   * @throws AppError `dots-…`: what `attempt` throws, or why there was no attempt.
   */
  async call<T>(purpose: Purpose, deadlineMs: number, attempt: Attempt<T>): Promise<T> {
    const lane = this.#lanes[purpose]
    const deadline = this.#clock() + deadlineMs
    const controller = new AbortController()
    const { signal } = controller
    const timer = setTimeout(() => controller.abort(new DOMException('', 'TimeoutError')), deadlineMs)
    const once = () => this.#once(purpose, deadline, signal, attempt)
    lane.calls.add(controller)
    lane.budget.recordCall()
    if (lane.isAborted) controller.abort()
    try {
      return await once()
    } catch (error) {
      if (!isDotsError(error) || !error.kind.retry || signal.aborted) throw error
      const delayMs = MIN_RETRY_DELAY_MS + RETRY_SPREAD_MS * this.#random() + pauseMs(error)
      if (this.#clock() + delayMs + MIN_RETRY_MS > deadline) throw error
      // Where this failure has opened the breaker, the error says what happened, and `dots-breaker-open` would not.
      if (lane.breaker.secondsToWait > 0 || !lane.budget.take()) throw error
      // When the signal ends the delay, it also ends the attempt that follows.
      await sleep(delayMs, undefined, { signal }).catch(() => undefined)
      try {
        return await once()
      } catch (again) {
        if (isDotsError(again)) again.sessionMayExist ||= error.sessionMayExist
        throw again
      }
    } finally {
      clearTimeout(timer)
      lane.calls.delete(controller)
    }
  }

  async #once<T>(purpose: Purpose, deadline: number, signal: AbortSignal, attempt: Attempt<T>): Promise<T> {
    const lane = this.#lanes[purpose]
    // A call that would be rejected anyway is rejected at once, not after the wait for a slot.
    this.#checkPause()
    lane.breaker.check()
    const release = await this.#limiter.acquire(purpose, { timeoutMs: deadline - this.#clock(), signal })
    try {
      this.#checkPause()
      const permit = lane.breaker.enter()
      try {
        const result = await attempt(signal)
        permit('succeeded')
        return result
      } catch (error) {
        this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock() + pauseMs(error))
        if (lane.isAborted || pauseMs(error) > 0) permit('ignored')
        else permit(isOutage(error) ? 'failed' : 'succeeded')
        throw error
      }
    } finally {
      release()
    }
  }

  #checkPause(): void {
    const seconds = this.#pausedSeconds
    if (seconds > 0) throw new AppError('dots-paused', { retryAfterSeconds: seconds })
  }

  get #pausedSeconds(): number {
    return Math.max(0, Math.ceil((this.#pausedUntil - this.#clock()) / 1000))
  }
}

function logBreaker(log: GuardOptions['log'], purpose: Purpose, state: BreakerState): void {
  const line = [{ event: `dots.breaker.${state}`, purpose }, `circuit breaker ${state}`] as const
  if (state === 'open') log.warn(...line)
  else log.info(...line)
}

/** How long Dots has asked not to be called, in milliseconds. */
function pauseMs(error: unknown): number {
  return isDotsError(error) ? (error.pauseSeconds ?? 0) * 1000 : 0
}

/** Whether Dots is down or overloaded, and not only this one call was rejected. */
function isOutage(error: unknown): boolean {
  return !isDotsError(error) || error.kind.outage === true
}
