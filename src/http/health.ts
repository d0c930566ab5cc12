import type { FastifyInstance } from 'fastify'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import type { DotsClient } from '../dots/client.ts'
import type { Store } from '../store/open-store.ts'
import type { LogOutput } from './log-output.ts'

interface HealthOptions {
  catalog: Pick<LiveCatalog, 'status'>
  store: Pick<Store, 'ping'>
  dots: Pick<DotsClient, 'access' | 'calls'>
  logOutput: LogOutput
}

/** `/healthz`: the process answers. `/readyz`: it can sell, with the state of each part. */
export async function healthRoutes(
  app: FastifyInstance,
  { catalog, store, dots, logOutput }: HealthOptions,
): Promise<void> {
  app.get('/healthz', { config: { limit: 'none' } }, async () => ({ status: 'ok' }))

  app.get('/readyz', { config: { limit: 'none' } }, async (_request, reply) => {
    const { state, ...file } = catalog.status
    const parts = {
      service: { status: app.draining ? 'stopping' : 'ok' },
      store: await storePart(store),
      catalog: { status: state, ...file },
      dots: dotsPart(dots),
      log: logPart(logOutput),
    }
    // Only rejected credentials and a wrong URL of Dots make a replica unready, since they are its own. When Dots is
    // down, it is down for all replicas, and one of them has to tell the buyers.
    const ready = !app.draining && parts.store.status === 'ok' && dots.access.isReady
    const isWell = parts.dots.status === 'ok' && parts.log.status === 'ok'
    const status = !ready ? 'not-ready' : isWell ? 'ready' : 'degraded'
    return reply.code(ready ? 200 : 503).send({ status, parts })
  })
}

async function storePart(store: HealthOptions['store']): Promise<{ status: string; code?: unknown }> {
  try {
    await store.ping()
    return { status: 'ok' }
  } catch (error) {
    // An error without a code is a bug, and not a state of the store.
    if (!(error instanceof Error && 'code' in error)) throw error
    return { status: 'failed', code: error.code }
  }
}

function dotsPart({ access, calls }: HealthOptions['dots']) {
  const { isReady, ...said } = access
  const canClick = calls.breakers.click === 'closed' && calls.pausedSeconds.click === 0
  const isWell = canClick && said.credentials !== 'refused'
  const status = !isReady ? 'credentials-refused' : isWell ? 'ok' : 'degraded'
  return { status, ...said, ...calls }
}

function logPart({ droppedLines = 0 }: LogOutput) {
  return { status: droppedLines === 0 ? 'ok' : 'failed', droppedLines }
}
