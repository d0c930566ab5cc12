import { getHeapStatistics } from 'node:v8'
import { normalizeIP } from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'

/** When the process is this late with its work, one more request makes every buyer wait longer. */
const LATEST_MS = 1_500
/** Before the heap is full, collecting garbage is all that a process does. */
const FULLEST_HEAP = 0.9
/** Each open socket costs memory whether it speaks or not; behind a balancer there are a few hundred. */
const MOST_CONNECTIONS = 4_096
/** Half of them at the most for one address (IPv6: one /64), so that one machine cannot shut the others out. */
const MOST_CONNECTIONS_EACH = MOST_CONNECTIONS / 2
const COME_BACK_SECONDS = 5

/**
 * Turns requests away while the process is late or short of memory; health checks are still answered. Connections are
 * counted, in all and for each address; a proxy that is trusted speaks for many and is not counted.
 */
export const overload = fp<{ trustsProxy: (address: string) => boolean }>(
  async (app, { trustsProxy }) => {
    await app.register(underPressure, {
      maxEventLoopDelay: LATEST_MS,
      maxHeapUsedBytes: Math.floor(getHeapStatistics().heap_size_limit * FULLEST_HEAP),
      pressureHandler: (request, _reply, type, value) => {
        const route = request.is404 ? undefined : request.routeOptions.url
        if (route === '/healthz' || route === '/readyz') return
        // An interval without a sample gives no number, which the library counts as infinitely late.
        if (!Number.isFinite(value)) return
        throw new AppError('overloaded', {
          retryAfterSeconds: COME_BACK_SECONDS,
          details: { pressure: type, value },
        })
      },
    })
    app.server.maxConnections = MOST_CONNECTIONS
    const connections = new Map<string, number>()
    app.server.on('connection', (socket) => {
      const { remoteAddress } = socket
      // Undefined where the peer has gone again already.
      if (remoteAddress === undefined || trustsProxy(remoteAddress)) return
      const address = normalizeIP(remoteAddress)
      const open = connections.get(address) ?? 0
      if (open >= MOST_CONNECTIONS_EACH) {
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
  },
  { name: 'overload' },
)
