import rateLimit from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'
import { UNREADABLE } from './addresses.ts'

/** Looking around costs us little beside a buy attempt, which ends in a call to Dots. */
const LOOKING_SHARE = 10
/** Addresses remembered at one time: a few megabytes; a flood from more of them pushes out the oldest. */
const REMEMBERED_ADDRESSES = 50_000

export interface RateLimitOptions {
  /** Buy attempts for each address (IPv6: each /64) in a window. */
  max: number
  windowSeconds: number
}

/**
 * Limits by client address, before anything is parsed: buy links and paths that are unknown or cannot be read share one
 * allowance, everything else ten times as much, health checks are free.
 */
export const rateLimits = fp<RateLimitOptions>(
  async (app, { max, windowSeconds }) => {
    const timeWindow = windowSeconds * 1000
    await app.register(rateLimit, { global: false, cache: REMEMBERED_ADDRESSES })
    const child = { timeWindow, cache: REMEMBERED_ADDRESSES }
    const buying = app.createRateLimit({ ...child, max })
    const looking = app.createRateLimit({ ...child, max: max * LOOKING_SHARE })

    app.addHook('onRequest', async (request) => {
      const area = areaOf(request)
      if (area === 'health') return
      const result = await (area === 'buying' ? buying : looking)(request)
      if (!result.isAllowed && result.isExceeded) {
        const retryAfterSeconds = Math.max(1, result.ttlInSeconds)
        throw new AppError('too-many-attempts', { retryAfterSeconds })
      }
    })
  },
  { name: 'rate-limits' },
)

function areaOf(request: FastifyRequest): 'health' | 'buying' | 'looking' {
  const route = request.is404 ? undefined : request.routeOptions.url
  if (route === '/healthz' || route === '/readyz') return 'health'
  if (route === undefined || route === UNREADABLE) return 'buying'
  return route === '/buy' || route.startsWith('/buy/') ? 'buying' : 'looking'
}
