import type { FastifyInstance } from 'fastify'
import { StoreError } from './store/store.ts'

/** `/healthz`: the process answers. `/readyz`: it can sell, each part by name. */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }))

  app.get('/readyz', async (_request, reply) => {
    const { state, ...catalog } = app.catalog.status
    const parts = {
      service: { status: app.closing ? 'stopping' : 'ok' },
      store: await storePart(app),
      catalog: { status: state, ...catalog },
      dots: dotsPart(app),
    }
    const works = (status: string) => status === 'ok' || status === 'degraded'
    const ready = [parts.service, parts.store, parts.dots].every(({ status: part }) => works(part))
    const status = !ready ? 'not-ready' : parts.dots.status === 'ok' ? 'ready' : 'degraded'
    return reply.code(ready ? 200 : 503).send({ status, parts })
  })
}

async function storePart(app: FastifyInstance): Promise<{ status: string; code?: string }> {
  try {
    await app.store.ping()
    return { status: 'ok' }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return { status: 'failed', code: error.code }
  }
}

/**
 * Only refused credentials take a replica out: they are its own. A Dots that is down is the same for all of them, and
 * with every replica out of the way nobody would tell the buyers.
 */
function dotsPart({ dots }: FastifyInstance) {
  const { credentials, calls } = dots
  const isWell = calls.breakers.click === 'closed' && calls.pausedSeconds === 0
  const status = credentials === 'refused' ? 'credentials-refused' : isWell ? 'ok' : 'degraded'
  return { status, credentials, ...calls }
}
