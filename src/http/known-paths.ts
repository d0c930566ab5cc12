import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** The methods that the path of this URL takes; none where there is no such path. */
    allowedMethods(url: string): readonly string[]
  }
}

/** Knows which methods each path takes: Fastify itself answers 404 for another method, as for an unknown path. */
export const knownPaths = fp(async (app) => {
  const routes: { segments: readonly string[]; methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ segments: segmentsOf(url), methods: [method].flat() })
  })
  app.decorate('allowedMethods', (url) => {
    const path = segmentsOf(decodeURI(url.split(/[?#]/, 1)[0] ?? ''))
    const found = routes.filter(({ segments }) => isSamePath(segments, path))
    return [...new Set(found.flatMap(({ methods }) => methods))].sort()
  })
})

function segmentsOf(path: string): readonly string[] {
  return path.replace(/(?<=.)\/$/, '').split('/')
}

function isSamePath(pattern: readonly string[], path: readonly string[]): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((segment, at) => (segment.startsWith(':') ? path[at] !== '' : path[at] === segment))
  )
}
