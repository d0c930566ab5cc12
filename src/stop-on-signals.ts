import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** Balancers that look at /readyz every second have seen it by then, and send new requests elsewhere. */
const GRACE_MS = 1_000
/** Orchestrators kill at 10 s: by then calls to Dots that are still under way are cut, and their buyers told so. */
const CUT_MS = 8_000
/** Time for those last answers to leave. */
const DRAIN_MS = 9_000
/** npm passes a signal on that the terminal has sent to the whole group already: that is one wish, not two. */
const SAME_SIGNAL_MS = 500

/**
 * `SIGTERM` and `SIGINT` stop the service: it tells balancers, answers what it has accepted, and exits 0. A second
 * signal ends it at once. Where something cannot be closed, the log says so and the exit code is 1.
 */
export function stopOnSignals(app: FastifyInstance): void {
  let firstAt: number | undefined
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const at = performance.now()
      if (firstAt === undefined) {
        firstAt = at
        void stop(app, signal)
      } else if (at - firstAt > SAME_SIGNAL_MS) {
        process.exit(1)
      }
    })
  }
}

async function stop(app: FastifyInstance, signal: string): Promise<void> {
  app.log.info({ signal }, 'stopping: answering what was accepted')
  app.announceClosing()
  setTimeout(() => app.dots.cut(), CUT_MS).unref()
  await sleep(GRACE_MS)
  try {
    const drained = await Promise.race([
      app.close().then(() => true),
      sleep(DRAIN_MS - GRACE_MS, false, { ref: false }),
    ])
    app.log.info({ drained }, 'stopped')
  } catch (error) {
    // A code is the world's doing; what has none is a bug, and its stack is wanted.
    const facts = error instanceof Error && 'code' in error ? { code: error.code } : { err: error }
    app.log.error({ drained: false, ...facts }, 'stopped, but not everything could be closed')
    process.exit(1)
  }
  process.exit(0)
}
