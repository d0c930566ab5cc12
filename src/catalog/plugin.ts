import fp from 'fastify-plugin'
import { LiveCatalog } from './live-catalog.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The products, always the last good version of the file. */
    catalog: LiveCatalog
  }
}

/** Opens the catalog, watches its file, and lets go of it when the app closes. */
export const catalogPlugin = fp<{ path: string }>(
  async (app, { path }) => {
    const catalog = await LiveCatalog.open(path, { log: app.log })
    app.decorate('catalog', catalog)
    app.addHook('onClose', () => catalog.close())
  },
  { name: 'catalog' },
)
