import type { FastifyInstance } from 'fastify'
import type { Shop } from './shop.ts'
import { stylesheet, stylesheetPath } from './stylesheet.ts'

// A year, the longest that RFC 9111 caches are expected to keep to.
const FOREVER = 'public, max-age=31536000, immutable'

const A_DAY = 'public, max-age=86400'

// Under a name of another version the answer may change with the next deployment.
const BRIEFLY = 'no-cache'

/**
 * Serves the one stylesheet. While replicas are being replaced, a new page may ask an old process for its style,
 * or the other way round: it then gets the style that is here, which no cache keeps, rather than none.
 */
export async function assetRoutes(app: FastifyInstance, { shop }: { shop: Shop }): Promise<void> {
  const css = stylesheet(shop.accentColor)
  const currentPath = stylesheetPath(shop)

  app.get<{ Params: { file: string } }>('/assets/:file', async (request, reply) => {
    const { file } = request.params
    if (!/^style-[0-9a-f]{1,64}\.css$/.test(file)) return reply.callNotFound()
    return reply
      .header('cache-control', `/assets/${file}` === currentPath ? FOREVER : BRIEFLY)
      .header('x-content-type-options', 'nosniff')
      .type('text/css; charset=utf-8')
      .send(css)
  })

  // Browsers ask for it by themselves; as an unknown path it would count against the visitor's buy attempts.
  app.get('/favicon.ico', async (_request, reply) => reply.code(204).header('cache-control', A_DAY).send())
}
