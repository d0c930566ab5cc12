import { getHeapStatistics } from 'node:v8'
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Whose allowance a request counts against, `browse` by default: `checkout` for what ends in a call to Dots, `none`
     * for health checks, which are answered under overload as well. Unknown paths count as `checkout`.
     */
    limit?: 'checkout' | 'browse' | 'none'
  }
}

/** Browsing is cheap beside a checkout, which calls Dots, so it gets this many times its allowance. */
const BROWSE_LIMIT_FACTOR = 10
/** IP addresses remembered at a time: a few megabytes. More of them push out the oldest. */
const MAX_REMEMBERED_ADDRESSES = 50_000
/** When the event loop is this late, one more request makes every buyer wait longer. */
const MAX_EVENT_LOOP_DELAY_MS = 1_500
/** Fuller than this, the process does little more than collecting garbage. */
const MAX_HEAP_SHARE = 0.9
const OVERLOAD_RETRY_SECONDS = 5
/** Each open socket costs memory, idle or not; a load balancer opens a few hundred. */
const MAX_CONNECTIONS = 4_096
/** Half of them for one IP address (IPv6: one /64), so that one machine cannot lock all others out. */
const MAX_CONNECTIONS_PER_ADDRESS = MAX_CONNECTIONS / 2

export interface LimitsOptions {
  rateLimit: {
    /** Checkout requests per IP address (IPv6: per /64) and window. */
    max: number
    windowSeconds: number
  }
  /** A trusted proxy speaks for many clients: its connections are not counted. */
  trustsProxy: (ip: string) => boolean
}

/** Limits requests and connections of each IP address before anything is parsed, and sheds load. */
export const limits = fp<LimitsOptions>(
  async (app, options) => {
    await limitRates(app, options.rateLimit)
    await shedLoad(app)
    limitConnections(app, options.trustsProxy)
  },
  { name: 'limits' },
)

function limitOf(request: FastifyRequest): 'checkout' | 'browse' | 'none' {
  return request.is404 ? 'checkout' : (request.routeOptions.config.limit ?? 'browse')
}

/** @throws AppError too-many-attempts */
async function limitRates(
  app: FastifyInstance,
  { max, windowSeconds }: LimitsOptions['rateLimit'],
): Promise<void> {
  const shared = { cache: MAX_REMEMBERED_ADDRESSES, timeWindow: windowSeconds * 1000 }
  await app.register(rateLimit, { global: false, cache: MAX_REMEMBERED_ADDRESSES })
  const limiters = {
    checkout: app.createRateLimit({ ...shared, max }),
    browse: app.createRateLimit({ ...shared, max: max * BROWSE_LIMIT_FACTOR }),
  }
  app.addHook('onRequest', async (request) => {
    const limit = limitOf(request)
    if (limit === 'none') return
    const result = await limiters[limit](request)
    if (!result.isAllowed && result.isExceeded) {
      throw new AppError('too-many-attempts', { retryAfterSeconds: Math.max(1, result.ttlInSeconds) })
    }
  })
}

/** @throws AppError overloaded, while the event loop is late or memory is short. */
async function shedLoad(app: FastifyInstance): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: MAX_EVENT_LOOP_DELAY_MS,
    maxHeapUsedBytes: Math.floor(getHeapStatistics().heap_size_limit * MAX_HEAP_SHARE),
    pressureHandler: (request, _reply, pressure, value) => {
      // An interval without a sample has no value, which the library takes for an infinite delay.
      if (limitOf(request) === 'none' || !Number.isFinite(value)) return
      throw new AppError('overloaded', {
        retryAfterSeconds: OVERLOAD_RETRY_SECONDS,
        details: { pressure, value },
      })
    },
  })
}

function limitConnections({ server }: FastifyInstance, trustsProxy: (ip: string) => boolean): void {
  server.maxConnections = MAX_CONNECTIONS
  const connections = new Map<string, number>()
  server.on('connection', (socket) => {
    const { remoteAddress } = socket
    // Undefined where the client has already disconnected.
    if (remoteAddress === undefined || trustsProxy(remoteAddress)) return
    const address = normalizeIP(remoteAddress)
    const open = connections.get(address) ?? 0
    if (open >= MAX_CONNECTIONS_PER_ADDRESS) {
      socket.destroy()
      return
    }
    connections.set(address, open + 1)
    socket.once('close', () => {
      const left = (connections.get(address) ?? 1) - 1
      if (left === 0) connections.delete(address)
      else connections.set(address, left)
    })
  })
}
