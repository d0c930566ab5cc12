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
      dots: {
        status: app.dots.credentials === 'refused' ? 'credentials-refused' : 'ok',
        credentials: app.dots.credentials,
      },
    }
    const ready = [parts.service, parts.store, parts.dots].every(({ status }) => status === 'ok')
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not-ready', parts })
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
