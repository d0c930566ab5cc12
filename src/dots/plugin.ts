import fp from 'fastify-plugin'
import { DotsClient, type DotsClientOptions } from './client.ts'

declare module 'fastify' {
  interface FastifyInstance {
    dots: DotsClient
  }
}

/** The connections to Dots, for the life of the app. Each change of their health is logged once. */
export const dotsPlugin = fp<DotsClientOptions>(
  async (app, options) => {
    const dots = new DotsClient({
      ...options,
      changed: ({ purpose, breaker }) => {
        if (breaker === 'closed') app.log.info({ purpose, breaker }, 'Dots answers again')
        else if (breaker === 'open') app.log.warn({ purpose, breaker }, 'Dots is left alone for a while')
        else app.log.info({ purpose, breaker }, 'one call tries whether Dots answers again')
      },
      credentialsChanged: (state) => {
        if (state === 'refused') app.log.error('Dots refuses DOTS_CLIENT_ID and DOTS_API_KEY: check them')
        else app.log.info('Dots accepts our credentials')
      },
    })
    app.decorate('dots', dots)
    // Nobody waits for the sweep, and the store knows where the next process goes on.
    app.addHook('preClose', async () => dots.cut(['background']))
    app.addHook('onClose', () => dots.close())
  },
  { name: 'dots' },
)
