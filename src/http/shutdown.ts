import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { loggedCause } from '../errors.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * True from the moment shutdown starts. Every request is still answered, but no connection is kept alive, and
     * `/readyz` fails, so that load balancers stop sending requests before connections are refused.
     */
    draining: boolean
  }
}

/** Load balancers that poll `/readyz` every second have noticed it by then, and send new requests elsewhere. */
const READINESS_GRACE_MS = 1_000
/** Orchestrators kill at 10 s: by then calls to Dots that are still in flight end, so that buyers get an answer. */
const ABORT_CALLS_MS = 8_000
/** Leaves those last responses a second to be sent. */
const MAX_DRAIN_MS = 9_000
/** npm forwards a signal that the terminal has sent to the whole process group: the two are one request to stop. */
const SAME_SIGNAL_MS = 500

/** Makes each response close its connection while draining: Node would wait for the keep-alive timeout of busy ones. */
export const draining = fp(async (app) => {
  app.decorate('draining', false)
  app.addHook('preClose', async () => {
    app.draining = true
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (app.draining) reply.header('connection', 'close')
    done()
  })
})

/**
 * `SIGTERM` and `SIGINT` stop the service: it becomes unready, answers what it has accepted, and exits 0. A second
 * signal ends it at once. Where something cannot be closed, the log says so and the exit code is 1.
 */
export function stopOnSignals(app: FastifyInstance, { abortCalls }: { abortCalls: () => void }): void {
  let firstAt: number | undefined
  const onSignal = (signal: NodeJS.Signals) => {
    const at = performance.now()
    if (firstAt === undefined) {
      firstAt = at
      void stop(app, signal, abortCalls)
    } else if (at - firstAt >= SAME_SIGNAL_MS) {
      process.exit(1)
    }
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
}

async function stop(app: FastifyInstance, signal: string, abortCalls: () => void): Promise<void> {
  app.log.info({ event: 'service.stopping', signal }, 'stopping: answering accepted requests')
  app.draining = true
  setTimeout(abortCalls, ABORT_CALLS_MS).unref()
  await sleep(READINESS_GRACE_MS)
  try {
    const timeout = sleep(MAX_DRAIN_MS - READINESS_GRACE_MS, false, { ref: false })
    const drained = await Promise.race([app.close().then(() => true), timeout])
    app.log.info({ event: 'service.stopped', drained }, 'stopped')
  } catch (error) {
    app.log.error(
      { event: 'service.stop-failed', drained: false, ...loggedCause(error) },
      'stopped, but not everything could be closed',
    )
    process.exit(1)
  }
  process.exit(0)
}
