import type { FastifyInstance } from 'fastify'

/** Programs that draw a preview of a link somebody has shared; they ask for robots.txt by these names. */
const PREVIEW_BOTS = [
  'facebookexternalhit',
  'Facebot',
  'Twitterbot',
  'Slackbot',
  'Slackbot-LinkExpanding',
  'LinkedInBot',
  'Discordbot',
  'TelegramBot',
  'WhatsApp',
  'SkypeUriPreview',
  'Pinterestbot',
  'redditbot',
  'Applebot',
  'Iframely',
]

/** Crawlers find products on the product pages; a buy link is not a page, and previews of it are wanted. */
const ROBOTS = [
  ...PREVIEW_BOTS.map((bot) => `User-agent: ${bot}`),
  'Allow: /',
  '',
  'User-agent: *',
  'Disallow: /buy',
  'Disallow: /success',
  'Disallow: /cancel',
  '',
].join('\n')

export async function robotsRoutes(app: FastifyInstance): Promise<void> {
  app.get('/robots.txt', async (_request, reply) =>
    reply.header('cache-control', 'public, max-age=3600').type('text/plain; charset=utf-8').send(ROBOTS),
  )
}
