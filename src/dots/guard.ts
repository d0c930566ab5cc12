import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, isDotsError } from '../errors.ts'
import { Breaker, type BreakerState } from './breaker.ts'
import { CallCap, NoPlaceError, PURPOSES, type Purpose } from './call-cap.ts'
import { RetryBudget } from './retry-budget.ts'

/** A retry comes after a moment, each after another one: what failed together must not come back together. */
const RETRY_AFTER_MS = 50
const RETRY_SPREAD_MS = 200
/** Less time than this is not worth a second attempt: it would be cut off in its middle. */
const LEAST_FOR_RETRY_MS = 1_000

export interface GuardOptions {
  maxInFlight: number
  /** Milliseconds of a clock that never goes back. */
  clock: () => number
  random: () => number
  /** A change that an operator wants to read of, once. */
  changed: (facts: { purpose: Purpose; breaker: BreakerState }) => void
}

interface Lane {
  breaker: Breaker
  budget: RetryBudget
  cut: AbortController
}

/**
 * What stands around every call to Dots, composed: a cap with a queue, a global pause that Dots itself asks for, a
 * breaker and a retry budget for each purpose, and one deadline over all of it.
 */
export class Guard {
  readonly #options: GuardOptions
  readonly #cap: CallCap
  readonly #lanes: Record<Purpose, Lane>
  #pausedUntil = 0

  constructor(options: GuardOptions) {
    const { clock, changed } = options
    this.#options = options
    this.#cap = new CallCap(options.maxInFlight, clock)
    const lane = (purpose: Purpose): Lane => ({
      breaker: new Breaker({ clock, changed: (breaker) => changed({ purpose, breaker }) }),
      budget: new RetryBudget(clock),
      cut: new AbortController(),
    })
    this.#lanes = { click: lane('click'), return: lane('return'), background: lane('background') }
  }

  /** How it stands, for `/readyz` and the log. */
  get status(): {
    breakers: Record<Purpose, BreakerState>
    pausedSeconds: number
    inFlight: number
    waiting: number
  } {
    const { click, return: back, background } = this.#lanes
    return {
      breakers: {
        click: click.breaker.state,
        return: back.breaker.state,
        background: background.breaker.state,
      },
      pausedSeconds: this.#pausedSeconds,
      inFlight: this.#cap.inFlight,
      waiting: this.#cap.waiting,
    }
  }

  /** Ends every call for these purposes now, and every one to come at once: the process has no more time for them. */
  cut(purposes: readonly Purpose[] = PURPOSES): void {
    for (const purpose of purposes) this.#lanes[purpose].cut.abort()
  }

  /**
   * Makes a call, and once more where that helps and the deadline and the budget allow it.
   *
   * @throws DotsError: what `attempt` throws, or why there was no attempt.
   */
  async call<T>(
    purpose: Purpose,
    deadlineMs: number,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, random } = this.#options
    const lane = this.#lanes[purpose]
    const deadline = clock() + deadlineMs
    const signal = AbortSignal.any([AbortSignal.timeout(deadlineMs), lane.cut.signal])
    lane.budget.noteCall()
    try {
      return await this.#once(purpose, deadline, signal, attempt)
    } catch (error) {
      const waitMs = RETRY_AFTER_MS + RETRY_SPREAD_MS * random() + pauseMs(error)
      const remainingMs = deadline - clock()
      if (!isWorthRetrying(error) || waitMs + LEAST_FOR_RETRY_MS > remainingMs || signal.aborted) throw error
      // This failure has opened the breaker: to be told so in place of what happened would help nobody.
      if (lane.breaker.secondsToWait > 0 || !lane.budget.take()) throw error
      // Cut short it goes on at once, and the attempt that follows fails by the signal.
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      try {
        return await this.#once(purpose, deadline, signal, attempt)
      } catch (again) {
        if (isDotsError(error) && isDotsError(again) && error.sessionMayExist) {
          again.sessionMayExist = true
        }
        throw again
      }
    }
  }

  async #once<T>(
    purpose: Purpose,
    deadline: number,
    signal: AbortSignal,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { breaker, cut } = this.#lanes[purpose]
    this.#refuse(breaker)
    const leave = await this.#enter(purpose, deadline, signal)
    try {
      // The wait for a place may have been long.
      this.#refuse(breaker)
      if (signal.aborted) throw new AppError('dots-queue-full')
      const passage = breaker.enter()
      if (passage === undefined)
        throw new AppError('dots-breaker-open', { retryAfterSeconds: breaker.secondsToWait })
      try {
        const result = await attempt(signal)
        passage.succeeded()
        return result
      } catch (error) {
        this.#note(error)
        if (cut.signal.aborted || pauseMs(error) > 0) passage.withdrawn()
        else if (isOutage(error)) passage.failed()
        else passage.succeeded()
        throw error
      }
    } finally {
      leave()
    }
  }

  #refuse(breaker: Breaker): void {
    if (this.#pausedSeconds > 0) throw new AppError('dots-paused', { retryAfterSeconds: this.#pausedSeconds })
    if (breaker.secondsToWait > 0)
      throw new AppError('dots-breaker-open', { retryAfterSeconds: breaker.secondsToWait })
  }

  async #enter(purpose: Purpose, deadline: number, signal: AbortSignal): Promise<() => void> {
    try {
      return await this.#cap.enter(purpose, { patienceMs: deadline - this.#options.clock(), signal })
    } catch (error) {
      if (error instanceof NoPlaceError) throw new AppError('dots-queue-full')
      throw error
    }
  }

  #note(error: unknown): void {
    const ms = pauseMs(error)
    if (ms > 0) this.#pausedUntil = Math.max(this.#pausedUntil, this.#options.clock() + ms)
  }

  get #pausedSeconds(): number {
    return Math.max(0, Math.ceil((this.#pausedUntil - this.#options.clock()) / 1000))
  }
}

/** How long Dots itself asked not to be called, in milliseconds. */
function pauseMs(error: unknown): number {
  return isDotsError(error) ? (error.pauseSeconds ?? 0) * 1000 : 0
}

/** Says that Dots is down or overloaded, rather than that this one call was refused. */
function isOutage(error: unknown): boolean {
  return !isDotsError(error) || error.kind.outage === true
}

function isWorthRetrying(error: unknown): boolean {
  return isDotsError(error) && error.kind.retry === true
}
