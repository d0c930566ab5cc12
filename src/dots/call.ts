/** How often calls are looked for that are past their deadline; a timer for each call would cost more memory. */
const TICK_MS = 25

/** One call to Dots, with its retry, which can be ended from outside while it waits for anything. */
export class Call {
  /** By `performance.now()`. */
  readonly deadline: number
  /** Why it has to end; undefined while it may go on. */
  reason: Error | undefined
  /** Ends what the call waits for now. */
  onAbort: ((reason: Error) => void) | undefined

  constructor(deadlineMs: number) {
    this.deadline = performance.now() + deadlineMs
  }

  /** `reason` is named as those of AbortSignal are: AbortError, TimeoutError. */
  abort(reason: Error = new DOMException('', 'AbortError')): void {
    if (this.reason !== undefined) return
    this.reason = reason
    this.onAbort?.(reason)
  }
}

/** Calls under way, of which each is aborted at its deadline: one clock for all of them. */
export function callsUnderWay() {
  const calls = new Set<Call>()
  let clock: NodeJS.Timeout | undefined

  function tick(): void {
    const now = performance.now()
    for (const call of calls) if (call.deadline <= now) call.abort(new DOMException('', 'TimeoutError'))
    if (calls.size > 0) return
    clearInterval(clock)
    clock = undefined
  }

  return {
    add(call: Call): void {
      calls.add(call)
      clock ??= setInterval(tick, TICK_MS).unref()
    },
    delete: (call: Call): void => void calls.delete(call),
  }
}
