import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** The methods that the path of this URL takes; none where there is no such path. */
    allowedMethods(url: string): readonly string[]
  }
}

/** Knows which methods each path takes: Fastify itself answers 404 for another method, as for an unknown path. */
export const knownPaths = fp(async (app) => {
  const routes: { path: RegExp; methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    const segments = url.split('/').map((one) => (one.startsWith(':') ? '[^/]+' : RegExp.escape(one)))
    routes.push({ path: new RegExp(`^${segments.join('/')}/?$`), methods: [method].flat() })
  })
  app.decorate('allowedMethods', (url) => {
    const path = decodeURI(url.split(/[?#]/, 1)[0] ?? '')
    const found = routes.filter((route) => route.path.test(path))
    return [...new Set(found.flatMap(({ methods }) => methods))].sort()
  })
})
