import type { FastifyInstance } from 'fastify'

/** The Universal Commerce Protocol's version that the permalinks follow. */
const UCP_VERSION = '2026-08-25'

/**
 * `GET /.well-known/ucp`: where agents find the permalinks (UCP 2026-08-25, capability dev.ucp.shopping.permalink). The
 * standard wants https; a shop without it has nothing to publish.
 */
export async function discoveryRoutes(app: FastifyInstance): Promise<void> {
  const { publicUrl } = app.config
  if (!publicUrl.startsWith('https:')) {
    app.log.info('PUBLIC_URL is not https: /.well-known/ucp is not served')
    return
  }
  const profile = {
    ucp: {
      version: UCP_VERSION,
      services: {},
      payment_handlers: {},
      capabilities: {
        'dev.ucp.shopping.permalink': [
          {
            version: UCP_VERSION,
            spec: `https://ucp.dev/${UCP_VERSION}/specification/permalink`,
            schema: `https://ucp.dev/${UCP_VERSION}/schemas/shopping/permalink.json`,
            config: { endpoint: `${publicUrl}/buy` },
          },
        ],
      },
    },
  }

  app.get('/.well-known/ucp', async (_request, reply) =>
    reply
      .header('cache-control', 'public, max-age=3600')
      .header('access-control-allow-origin', '*')
      .send(profile),
  )
}
