import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** True from the first wish to stop: every request is still answered, but no connection is kept. */
    closing: boolean
    /** Tells balancers to look elsewhere, some time before the doors shut. */
    announceClosing(): void
  }
}

/**
 * Node waits at close for connections that were busy, until their keep-alive time is over. From the announcement on
 * each answer therefore ends its connection.
 */
export const closing = fp(
  async (app) => {
    let announced = false
    app.decorate('closing', { getter: () => announced })
    app.decorate('announceClosing', () => {
      announced = true
    })
    app.addHook('preClose', async () => {
      announced = true
    })
    app.addHook('onSend', async (_request, reply) => {
      if (announced) reply.header('connection', 'close')
    })
  },
  { name: 'closing' },
)
