import fp from 'fastify-plugin'
import { openStore } from './open-store.ts'
import type { Store } from './store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    store: Store
  }
}

/** Opens the store, brings its tables up to date, and closes it when the app has answered its last request. */
export const storePlugin = fp<{ databaseUrl: string; now: () => Date }>(
  async (app, { databaseUrl, now }) => {
    const store = await openStore(databaseUrl, { now })
    app.decorate('store', store)
    app.addHook('onClose', () => store.close())
  },
  { name: 'store' },
)
