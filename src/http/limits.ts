import { getHeapStatistics } from 'node:v8'
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'
import { RateLimitStore } from './rate-limit-store.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The rate limit that counts the request, `browse` by default: `checkout` for requests that lead to a call to Dots,
     * `none` for health checks, which are answered under overload as well. `by-route`: the route counts some requests
     * itself. Unknown paths count as `checkout`, other methods of a known path as `browse`.
     */
    limit?: Limit | 'by-route' | 'none'
  }
  interface FastifyRequest {
    /** Thrown when the body has been read. */
    refusal: AppError | undefined
    /** Counts the request in the limit `browse`. @throws AppError too-many-attempts */
    countAttempt(): Promise<void>
  }
}

type Limit = 'checkout' | 'browse'

/** Browsing is cheap compared with a checkout, which calls Dots: this many times as many requests are allowed. */
const BROWSE_LIMIT_FACTOR = 10
/** When the event loop is this late, one more request makes every buyer wait longer. */
const MAX_EVENT_LOOP_DELAY_MS = 1_500
/** If a larger share of the heap is used, the process is busy with little but garbage collection. */
const MAX_HEAP_SHARE = 0.9
const OVERLOAD_RETRY_SECONDS = 5
/** Each open socket costs memory, idle or not; a load balancer opens a few hundred. */
const MAX_CONNECTIONS = 4_096
/** Half of them for one IP address (IPv6: one /64), so that one machine cannot lock all others out. */
const MAX_CONNECTIONS_PER_IP = MAX_CONNECTIONS / 2

interface LimitsOptions {
  /** `max` checkout requests per IP address (IPv6: per /64) and window. */
  rateLimit: { max: number; windowSeconds: number }
  /** A trusted proxy has connections for many clients, so they are not counted. */
  trustsProxy: (ip: string) => boolean
}

/**
 * Limits requests and connections of each IP address before anything is parsed, and refuses requests under overload.
 * Requests get AppError too-many-attempts or overloaded.
 */
export const limits = fp<LimitsOptions>(async (app, options) => {
  await limitRates(app, options.rateLimit)
  await limitLoad(app)
  limitConnections(app, options.trustsProxy)
})

function limitOf({ is404, routeOptions, server, url }: FastifyRequest) {
  const isUnknown = is404 && server.allowedMethods(url).length === 0
  return isUnknown ? 'checkout' : (routeOptions.config.limit ?? 'browse')
}

async function limitRates(app: FastifyInstance, options: LimitsOptions['rateLimit']): Promise<void> {
  await app.register(rateLimit, {
    global: false,
    timeWindow: options.windowSeconds * 1000,
    store: RateLimitStore,
  })
  const limiters = {
    checkout: app.createRateLimit({ max: options.max }),
    browse: app.createRateLimit({ max: options.max * BROWSE_LIMIT_FACTOR }),
  }
  app.decorateRequest('countAttempt', async function (this: FastifyRequest) {
    const refusal = refusalOf(await limiters.browse(this))
    if (refusal !== undefined) throw refusal
  })
  app.decorateRequest('refusal', undefined)
  app.addHook('onRequest', (request, _reply, done) => {
    const limit = limitOf(request)
    if (limit !== 'checkout' && limit !== 'browse') return done()
    limiters[limit](request).then((result) => {
      const refusal = refusalOf(result)
      if (refusal === undefined || isBuyForm(request)) {
        request.refusal = refusal
        done()
      } else done(refusal)
    }, done)
  })
  app.addHook('preValidation', ({ refusal }, _reply, done) => done(refusal))
}

function refusalOf(result: Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>) {
  if (result.isAllowed || !result.isExceeded) return undefined
  return new AppError('too-many-attempts', { retryAfterSeconds: Math.max(1, result.ttlInSeconds) })
}

/** Its page offers the same purchase again, so the form has to be read before it is refused. */
function isBuyForm({ method, routeOptions }: FastifyRequest): boolean {
  return method === 'POST' && routeOptions.config.buy === true
}

async function limitLoad(app: FastifyInstance): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: MAX_EVENT_LOOP_DELAY_MS,
    maxHeapUsedBytes: Math.floor(getHeapStatistics().heap_size_limit * MAX_HEAP_SHARE),
    pressureHandler: (request, _reply, pressure, value) => {
      // An interval without a sample has no value, which the library takes for an infinite delay.
      if (limitOf(request) === 'none' || !Number.isFinite(value)) return
      const details = { pressure, value }
      throw new AppError('overloaded', { retryAfterSeconds: OVERLOAD_RETRY_SECONDS, details })
    },
  })
}

function limitConnections({ server }: FastifyInstance, trustsProxy: (ip: string) => boolean): void {
  server.maxConnections = MAX_CONNECTIONS
  const connections = new Map<string, number>()
  server.on('connection', (socket) => {
    // Undefined where the client has already disconnected.
    if (socket.remoteAddress === undefined || trustsProxy(socket.remoteAddress)) return
    const ip = normalizeIP(socket.remoteAddress)
    const open = connections.get(ip) ?? 0
    if (open >= MAX_CONNECTIONS_PER_IP) {
      socket.destroy()
      return
    }
    connections.set(ip, open + 1)
    socket.once('close', () => {
      const left = (connections.get(ip) ?? 1) - 1
      if (left === 0) connections.delete(ip)
      else connections.set(ip, left)
    })
  })
}
