const WINDOW_MS = 10_000
/** Retries are at most this share of the calls, so that they do not add to the load that keeps Dots down. */
const MAX_RETRY_SHARE = 0.2
/** With few calls a share of them says nothing, so this many retries are always allowed. */
const MIN_RETRIES = 3

/** Allows retries by the calls of the last ten seconds. `clock`: monotonic, in milliseconds. */
export function retryBudget(clock: () => number) {
  const calls: number[] = []
  const retries: number[] = []

  const dropOld = (): void => {
    const oldest = clock() - WINDOW_MS
    for (const times of [calls, retries]) while ((times[0] ?? oldest) < oldest) times.shift()
  }

  return {
    recordCall(): void {
      dropOld()
      calls.push(clock())
    },

    /** Takes one retry out of the budget; false where the budget is used up. */
    take(): boolean {
      dropOld()
      if (retries.length >= Math.max(MIN_RETRIES, Math.floor(calls.length * MAX_RETRY_SHARE))) return false
      retries.push(clock())
      return true
    },
  }
}
