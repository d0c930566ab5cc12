import type { FastifyRateLimitStore } from '@fastify/rate-limit'

/** Clients that are counted at a time: a few megabytes. If there are more, those not seen for longest are dropped. */
const MAX_CLIENTS = 50_000

/**
 * How many requests each client has made in its current window. Windows go by the monotonic clock: the store that comes
 * with @fastify/rate-limit goes by the time of day, and when that is set back it refuses clients until it has caught up.
 */
export class RateLimitStore implements FastifyRateLimitStore {
  /** The client seen last is the last one. */
  readonly #windows = new Map<string, { current: number; endsAt: number }>()

  incr(client: string, callback: Parameters<FastifyRateLimitStore['incr']>[1], windowMs: number): void {
    const now = performance.now()
    const last = this.#windows.get(client)
    const { current, endsAt } =
      last !== undefined && last.endsAt > now ? last : { current: 0, endsAt: now + windowMs }
    this.#windows.delete(client)
    this.#windows.set(client, { current: current + 1, endsAt })
    if (this.#windows.size > MAX_CLIENTS) {
      const [oldest = ''] = this.#windows.keys()
      this.#windows.delete(oldest)
    }
    callback(null, { current: current + 1, ttl: endsAt - now })
  }

  /** Each limit counts for itself. */
  child(): RateLimitStore {
    return new RateLimitStore()
  }
}
