import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'

/** When the process is this late with its work, one more request makes every buyer wait longer. */
const LATEST_MS = 1_500
/** Before the heap is full, collecting garbage is all that a process does. */
const FULLEST_HEAP = 0.9
/** Each open socket costs memory whether it speaks or not; behind a balancer there are a few hundred. */
const MOST_CONNECTIONS = 4_096
const COME_BACK_SECONDS = 5

/** 503: more than can be served well. Said quickly, so that the others are. */
export class OverloadedError extends AppError {
  constructor(facts: Record<string, unknown>) {
    super('overloaded', 503, 'The shop is very busy', 'Please try again in a moment.', {
      retryAfterSeconds: COME_BACK_SECONDS,
      facts,
    })
  }
}

/** Turns requests away while the process is late or short of memory; health checks are still answered. */
export const overload = fp(
  async (app) => {
    await app.register(underPressure, {
      maxEventLoopDelay: LATEST_MS,
      maxHeapUsedBytes: Math.floor(getHeapStatistics().heap_size_limit * FULLEST_HEAP),
      pressureHandler: (request, _reply, type, value) => {
        const route = request.is404 ? undefined : request.routeOptions.url
        if (route === '/healthz' || route === '/readyz') return
        throw new OverloadedError({ pressure: type, value })
      },
    })
    app.server.maxConnections = MOST_CONNECTIONS
  },
  { name: 'overload' },
)
