import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { DestinationStream } from 'pino'
import { catalogPlugin } from './catalog/plugin.ts'
import { salesLimit } from './catalog/product.ts'
import { checkoutRoutes } from './checkout/routes.ts'
import { soldItems } from './checkout/sold-items.ts'
import { closing } from './closing.ts'
import type { Config } from './config.ts'
import type { DotsClientOptions } from './dots/client.ts'
import { dotsPlugin } from './dots/plugin.ts'
import { errorHandler } from './error-handler.ts'
import { healthRoutes } from './health.ts'
import { linkPath } from './links/link-builder.ts'
import { makeLogger, newReference, RequestLog, requestFacts } from './logging.ts'
import { answerMalformed, ignoreExpectations } from './node-answers.ts'
import { type OrdersPace, ordersPlugin } from './orders/plugin.ts'
import { assetRoutes } from './pages/routes.ts'
import type { Shop } from './pages/shop.ts'
import { securityHeaders } from './security-headers.ts'
import { discoveryRoutes } from './shop/discovery-routes.ts'
import { qrRoutes } from './shop/qr-routes.ts'
import { shopRoutes } from './shop/routes.ts'
import { storePlugin } from './store/plugin.ts'
import { addressCheck, readableAddress } from './visitors/addresses.ts'
import { browserCookie } from './visitors/browser.ts'
import { overload } from './visitors/overload.ts'
import { rateLimits } from './visitors/rate-limits.ts'
import { robotsRoutes } from './visitors/robots-routes.ts'

declare module 'fastify' {
  interface FastifyInstance {
    config: Config
    /** The merchant, as the pages know it. */
    shop: Shop
    now: () => Date
  }
}

// A link, its longest form included, is far below this; what is longer is refused before anything looks at it.
const LARGEST_HEADERS = 16 * 1024
/** A form of ours has a few short fields. */
const LARGEST_BODY = 16 * 1024
const FORM = 'application/x-www-form-urlencoded'
/** Headers come in one or two packets. */
const SLOWEST_HEADERS_MS = 10_000
/** How often slow senders are looked for. */
const CHECK_SOCKETS_MS = 2_000
/** A request of a few hundred bytes that takes longer to arrive is not a buyer on a bad line. */
const SLOWEST_REQUEST_MS = 15_000
/** A socket without a byte in either direction for so long is gone; longer than any answer of ours takes. */
const SILENT_SOCKET_MS = 30_000
/** Longer than the idle timeout of common balancers (60 s), so that it is they who close. */
const KEEP_ALIVE_MS = 65_000

export interface AppOptions {
  now?: () => Date
  /** Where the log goes instead of stdout. */
  logDestination?: DestinationStream
  /** How fast the work behind the shop goes, for tests. */
  ordersPace?: Partial<OrdersPace>
  /** How patient the calls to Dots are, for tests. */
  dotsPace?: Pick<DotsClientOptions, 'connectMs' | 'firstByteMs' | 'deadlinesMs' | 'askAgainMs'>
}

/**
 * The whole service, ready to listen: its table of contents, in order.
 *
 * @throws CatalogError, StoreError where it cannot work with what it was given.
 */
export async function buildApp(config: Config, options: AppOptions = {}): Promise<FastifyInstance> {
  const now = options.now ?? (() => new Date())
  const app = Fastify({
    loggerInstance: makeLogger(config.logLevel, options.logDestination),
    logController: new RequestLog({ requestIdLogLabel: 'reference' }),
    genReqId: newReference,
    trustProxy: (address) => config.trustsProxy(address),
    rewriteUrl: readableAddress,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: LARGEST_HEADERS },
    exposeHeadRoutes: true,
    clientErrorHandler: answerMalformed,
    http: {
      maxHeaderSize: LARGEST_HEADERS,
      headersTimeout: SLOWEST_HEADERS_MS,
      connectionsCheckingInterval: CHECK_SOCKETS_MS,
    },
    bodyLimit: LARGEST_BODY,
    requestTimeout: SLOWEST_REQUEST_MS,
    connectionTimeout: SILENT_SOCKET_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    return503OnClosing: false,
  })
  ignoreExpectations(app.server)

  try {
    app.decorate('config', config)
    app.decorate('now', now)
    app.decorate('shop', shopOf(config))
    await app.register(closing)
    await app.register(requestFacts)
    await app.register(securityHeaders, {
      https: config.publicUrl.startsWith('https:'),
      allowHttpCheckout: config.dots.allowHttpCheckout,
    })
    await app.register(errorHandler)
    await app.register(rateLimits, config.rateLimit)
    await app.register(overload, { trustsProxy: config.trustsProxy })
    await app.register(addressCheck)
    await app.register(browserCookie, { https: config.publicUrl.startsWith('https:') })
    await app.register(catalogPlugin, { path: config.catalogPath })
    await app.register(storePlugin, { databaseUrl: config.databaseUrl, now })
    await app.register(dotsPlugin, { ...config.dots, ...options.dotsPace, now })
    // The text as it came: `links` reads queries and forms by one set of rules, and sees what was given twice.
    app.addContentTypeParser(
      FORM,
      { parseAs: 'string' },
      async (_request: FastifyRequest, text: string) => text,
    )
    const publicUrl = new URL(config.publicUrl)
    await app.register(ordersPlugin, {
      webhookSecrets: config.dots.webhookSecrets,
      fulfillment: config.fulfillment,
      publicUrl: config.publicUrl,
      now,
      salesLimit: (sku) => salesLimit(app.catalog.current.find(sku)),
      soldItems: (cart, amountTotal) => soldItems(app.catalog.current, cart, amountTotal),
      linkTo: (cart) => linkPath(cart, publicUrl),
      ...(options.ordersPace !== undefined && { pace: options.ordersPace }),
    })
    await app.register(healthRoutes)
    await app.register(assetRoutes, { shop: app.shop })
    await app.register(shopRoutes)
    await app.register(qrRoutes)
    await app.register(discoveryRoutes)
    await app.register(robotsRoutes)
    await app.register(checkoutRoutes)
    return app
  } catch (error) {
    await app.close()
    throw error
  }
}

function shopOf({ merchant, publicUrl }: Config): Shop {
  const { name, supportEmail, accentColor, logoUrl } = merchant
  return {
    name,
    publicUrl,
    ...(supportEmail !== undefined && { supportEmail }),
    ...(accentColor !== undefined && { accentColor }),
    ...(logoUrl !== undefined && { logoUrl }),
  }
}
