import type { FastifyRateLimitStore } from '@fastify/rate-limit'

/** Clients that are counted at a time: a few megabytes. If there are more, the oldest windows are dropped. */
const MAX_CLIENTS = 50_000

/**
 * How many requests each client has made in its current window. Windows go by the monotonic clock: the store that comes
 * with @fastify/rate-limit goes by the time of day, and when that is set back it refuses clients until it has caught up.
 */
export class RateLimitStore implements FastifyRateLimitStore {
  /** The newest window is the last one. */
  readonly #windows = new Map<string, { current: number; endsAt: number }>()

  incr(client: string, callback: Parameters<FastifyRateLimitStore['incr']>[1], windowMs: number): void {
    const now = performance.now()
    let window = this.#windows.get(client)
    if (window === undefined || window.endsAt <= now) window = this.#open(client, now + windowMs)
    window.current += 1
    callback(null, { current: window.current, ttl: window.endsAt - now })
  }

  #open(client: string, endsAt: number): { current: number; endsAt: number } {
    const window = { current: 0, endsAt }
    this.#windows.delete(client)
    this.#windows.set(client, window)
    if (this.#windows.size > MAX_CLIENTS) {
      const [oldest = ''] = this.#windows.keys()
      this.#windows.delete(oldest)
    }
    return window
  }

  /** Each limit counts for itself. */
  child(): RateLimitStore {
    return new RateLimitStore()
  }
}
