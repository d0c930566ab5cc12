import { AppError } from '../errors.ts'
import type { Call } from './call.ts'

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

/**
 * Limits the calls in flight, `max` in total and a share of them for each purpose. Calls over the limit wait in a queue
 * per purpose. `clock`: monotonic, in milliseconds.
 */
export function concurrencyLimiter(max: number, clock: () => number) {
  const limits = perPurpose((purpose) => Math.max(1, Math.floor(max * SHARES[purpose])))
  const inFlight = perPurpose(() => 0)
  /** Each entry gives a slot to the call that waits for it. */
  const queues = perPurpose((): (() => void)[] => [])
  let averageMs = INITIAL_AVERAGE_MS

  const hasSlot = (purpose: Purpose): boolean => {
    const others = inFlight.return + inFlight.background
    if (others + inFlight.click >= max || inFlight[purpose] >= limits[purpose]) return false
    // One slot is always kept for clicks, so that slow calls for other purposes never stop sales. With a limit of one
    // call that is impossible.
    return purpose === 'click' || max === 1 || others < max - 1
  }

  const assignSlots = (): void => {
    for (const purpose of PURPOSES) {
      while (queues[purpose].length > 0 && hasSlot(purpose)) {
        inFlight[purpose] += 1
        queues[purpose].shift()?.()
      }
    }
  }

  const wait = (purpose: Purpose, call: Call): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const queue = queues[purpose]
    const assign = () => {
      call.onAbort = undefined
      resolve()
    }
    call.onAbort = () => {
      queue.splice(queue.indexOf(assign), 1)
      reject(new AppError('dots-queue-full'))
    }
    queue.push(assign)
    return promise
  }

  /** Gives a slot back that was taken now. */
  const releaseOf = (purpose: Purpose) => {
    const startedAt = clock()
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      averageMs += SMOOTHING * (clock() - startedAt - averageMs)
      inFlight[purpose] -= 1
      assignSlots()
    }
  }

  return {
    inFlight: () => inFlight.click + inFlight.return + inFlight.background,
    waiting: () => queues.click.length + queues.return.length + queues.background.length,

    /**
     * Takes a slot, and gives the function that gives it back: at once where one is free, or a promise of it. It waits until
     * `call` is aborted, but not at all where the wait is expected to take longer than `timeoutMs`.
     *
     * @throws AppError `dots-queue-full`, or rejects with it.
     */
    acquire(purpose: Purpose, timeoutMs: number, call: Call): (() => void) | Promise<() => void> {
      if (call.reason !== undefined) throw new AppError('dots-queue-full')
      if (hasSlot(purpose)) {
        inFlight[purpose] += 1
        return releaseOf(purpose)
      }
      const position = queues[purpose].length + 1
      if ((position / limits[purpose]) * averageMs > timeoutMs) throw new AppError('dots-queue-full')
      return wait(purpose, call).then(() => releaseOf(purpose))
    },
  }
}
