import { lookup } from 'node:dns/promises'
import { createServer, type Server } from 'node:net'
import fp from 'fastify-plugin'

/**
 * Where `localhost` has two addresses, 127.0.0.1 and ::1, the service listens on both. Connections to the second one are
 * passed to the only HTTP server (its event `connection` is made for that), so that they meet the same limits. Fastify
 * would make a second HTTP server without them.
 */
export const listeners = fp<{ host: string }>(async (app, { host }) => {
  // A host that cannot be found fails when the service listens.
  const addresses = host === 'localhost' ? await lookup(host, { all: true }).catch(() => []) : []
  const others: Server[] = []
  let closed: Promise<unknown> = Promise.resolve()

  app.addHook('onListen', async () => {
    const first = app.server.address()
    if (first === null || typeof first === 'string') return
    for (const { address } of addresses.filter((other) => other.address !== first.address)) {
      // The options are those of an HTTP server.
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        app.server.emit('connection', socket)
      })
      server.maxConnections = app.server.maxConnections
      server.on('error', ({ code }: NodeJS.ErrnoException) => {
        app.log.warn({ event: 'server.listen.partial', code }, 'cannot listen on one address of localhost')
      })
      others.push(server.listen(first.port, address))
    }
  })
  app.addHook('preClose', async () => {
    closed = Promise.all(others.map((server) => new Promise((resolve) => server.close(resolve))))
  })
  // Before the services are closed, which the last requests need.
  app.addHook('onClose', () => closed)
})
