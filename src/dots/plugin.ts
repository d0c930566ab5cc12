import fp from 'fastify-plugin'
import { DotsClient, type DotsClientOptions } from './client.ts'

declare module 'fastify' {
  interface FastifyInstance {
    dots: DotsClient
  }
}

/** The connections to Dots, for the life of the app. */
export const dotsPlugin = fp<DotsClientOptions>(
  async (app, options) => {
    const dots = new DotsClient(options)
    app.decorate('dots', dots)
    app.addHook('onClose', () => dots.close())
  },
  { name: 'dots' },
)
