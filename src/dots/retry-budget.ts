const WINDOW_MS = 10_000
/** Retries are at most this share of the calls, so that they do not add to the load that keeps Dots down. */
const MAX_RETRY_SHARE = 0.2
/** With few calls a share of them says nothing, so this many retries are always allowed. */
const MIN_RETRIES = 3

/** Times are counted in slices of this length. */
const SLICE_MS = 500
const SLICES = WINDOW_MS / SLICE_MS

/** Allows retries by the calls of the last ten seconds. `clock`: monotonic, in milliseconds. */
export function retryBudget(clock: () => number) {
  // The first and the last slice are parts of one: calls are forgotten a moment early, and retries a moment late.
  const calls = recentCounter(clock, SLICES)
  const retries = recentCounter(clock, SLICES + 1)
  return {
    recordCall: (): void => calls.add(),

    /** Takes one retry out of the budget; false where the budget is used up. */
    take(): boolean {
      if (retries.count() >= Math.max(MIN_RETRIES, Math.floor(calls.count() * MAX_RETRY_SHARE))) return false
      retries.add()
      return true
    },
  }
}

/** Counts what has happened in this slice and those before it, `length` in all. */
function recentCounter(clock: () => number, length: number) {
  const slices = new Array<number>(length).fill(0)
  let current = Math.floor(clock() / SLICE_MS)

  /** Empties the slices that have begun since the last call. */
  function advance(): void {
    const now = Math.floor(clock() / SLICE_MS)
    if (now - current >= length) slices.fill(0)
    else for (let slice = current + 1; slice <= now; slice += 1) slices[slice % length] = 0
    current = now
  }

  return {
    add(): void {
      advance()
      slices[current % length] = (slices[current % length] ?? 0) + 1
    },
    count(): number {
      advance()
      return slices.reduce((sum, count) => sum + count, 0)
    },
  }
}
