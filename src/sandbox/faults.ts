/** The API calls that a fault can be aimed at. */
export type ApiCall = 'create' | 'read' | 'list' | 'intent' | 'other'

/**
 * What the sandbox does in place of a good answer.
 * - a status, with headers and a body: nothing was done (an object is sent as JSON, a string as it is)
 * - `alter`: the call is done, and its good answer is changed on the way out
 * - `reset`: the connection breaks before anything was done; `done-then-reset`: after it was done
 * - `reset-in-body`: the call is done, half its answer comes; `hang-in-body`: the same, and the line stays open
 * - `hang`: nothing is done and nothing comes
 */
export type CannedAnswer =
  | { status: number; headers?: Record<string, string>; body?: unknown }
  | { alter: (body: Record<string, unknown>) => unknown }
  | 'reset'
  | 'done-then-reset'
  | 'reset-in-body'
  | 'hang-in-body'
  | 'hang'

/** Faults that tests have ordered, each used once, and the gate that keeps answers waiting. */
export class Faults {
  #queue: { answer: CannedAnswer; call: ApiCall | 'any' }[] = []
  #gate: PromiseWithResolvers<void> | undefined

  order(answer: CannedAnswer, times: number, call: ApiCall | 'any'): void {
    for (let count = 0; count < times; count++) this.#queue.push({ answer, call })
  }

  /** Takes the oldest fault that fits the call out of the queue. */
  take(call: ApiCall): CannedAnswer | undefined {
    const index = this.#queue.findIndex((fault) => fault.call === 'any' || fault.call === call)
    return index < 0 ? undefined : this.#queue.splice(index, 1)[0]?.answer
  }

  clear(): void {
    this.#queue = []
  }

  hold(): void {
    this.#gate ??= Promise.withResolvers<void>()
  }

  release(): void {
    this.#gate?.resolve()
    this.#gate = undefined
  }

  /** Resolves at once, or when what is held is released. */
  async passed(): Promise<void> {
    await this.#gate?.promise
  }
}
