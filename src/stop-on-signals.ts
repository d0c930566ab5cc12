import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** Balancers that look at /readyz every second have seen it by then, and send new requests elsewhere. */
const GRACE_MS = 1_000
/** A buyer waits 8 s for Dots at the most, so by now every accepted request has its answer. Orchestrators kill at 10 s. */
const DRAIN_MS = 8_500
/** npm passes a signal on that the terminal has sent to the whole group already: that is one wish, not two. */
const SAME_SIGNAL_MS = 500

/**
 * `SIGTERM` and `SIGINT` stop the service: it tells balancers, answers what it has accepted, and exits 0. A second
 * signal ends it at once.
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
  await sleep(GRACE_MS)
  const drained = await Promise.race([app.close().then(() => true), sleep(DRAIN_MS, false, { ref: false })])
  app.log.info({ drained }, 'stopped')
  process.exit(0)
}
