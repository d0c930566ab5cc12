import { Readable } from 'node:stream'
import etag from '@fastify/etag'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import { availability, type Product } from '../catalog/product.ts'
import { findItems, readLink, readRest } from '../checkout/link.ts'
import { formOf, nextSteps, offerOf, soldOutAmong } from '../checkout/next-steps.ts'
import { orderSummaryOf, priceLink } from '../checkout/price.ts'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { encodeSku } from '../links/cart.ts'
import { resolveContinueTo } from '../links/continue-to.ts'
import { saidBy, toQuery } from '../links/link-builder.ts'
import { queryPairs, rawQuery } from '../links/parameters.ts'
import { qrPng, qrSvg } from '../links/qr.ts'
import { readRepaired } from '../links/repair.ts'
import { REMOVE_SAVED_CART_PATH, savedCartNotice } from '../pages/confirm.ts'
import { bestLocale } from '../pages/money.ts'
import { productPage } from '../pages/product.ts'
import { shopWindowPage } from '../pages/shop-window.ts'
import { FAVICON_PATH, favicon, stylesheet, stylesheetPath } from '../pages/stylesheet.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'

/** Few enough for a phone; catalogs hold up to a hundred thousand products. */
const PRODUCTS_PER_PAGE = 48
/** How long a saved cart is shown; the browser's cookie expires earlier. */
const SAVED_CART_MS = 24 * 3_600_000

const CACHE_ONE_HOUR = 'public, max-age=3600'

/** The version of the Universal Commerce Protocol that the permalinks follow. */
const UCP_VERSION = '2026-08-25'

/** Bots that draw link previews may read buy links, all others only the shop's own pages. */
const ROBOTS = `User-agent: facebookexternalhit
User-agent: Facebot
User-agent: Twitterbot
User-agent: Slackbot
User-agent: Slackbot-LinkExpanding
User-agent: LinkedInBot
User-agent: Discordbot
User-agent: TelegramBot
User-agent: WhatsApp
User-agent: SkypeUriPreview
User-agent: Pinterestbot
User-agent: redditbot
User-agent: Applebot
User-agent: Iframely
Allow: /

User-agent: *
Disallow: /buy
Disallow: /success
Disallow: /cancel
`

const WindowQuery = Type.Object({ page: Type.Integer({ minimum: 1, default: 1 }) })

interface ShopOptions {
  config: Pick<Config, 'linkSigningSecrets' | 'shop'>
  catalog: Pick<LiveCatalog, 'current'>
  store: Store
  now: () => Date
}

/** The public pages: shop window, products, QR codes, and the files that browsers and crawlers ask for. */
export const shopRoutes: FastifyPluginAsyncTypebox<ShopOptions> = async (
  app,
  { config, catalog, store, now },
) => {
  const { shop } = config
  const { publicUrl } = shop
  const css = stylesheet(shop.accentColor)
  const cssPath = stylesheetPath(shop)
  const icon = favicon(shop)
  await app.register(etag)
  // With '' as its content a 304 would get `Content-Length: 0`, which is not that of the page (RFC 9110, 8.6). A stream
  // has no length.
  app.addHook('onSend', async (_request, reply, payload) =>
    reply.statusCode === 304 ? Readable.from([]) : payload,
  )

  app.get('/', { schema: { querystring: WindowQuery }, attachValidation: true }, async (request, reply) => {
    const onSale = catalog.current.onSale(now())
    const pages = Math.max(1, Math.ceil(onSale.length / PRODUCTS_PER_PAGE))
    // An invalid page number shows the first page, one that is too high the last.
    const page = request.validationError ? 1 : Math.min(request.query.page, pages)
    const products = onSale.slice((page - 1) * PRODUCTS_PER_PAGE, page * PRODUCTS_PER_PAGE)
    const locale = bestLocale(request.languages())
    const soldOut = await soldOutAmong(products, store, request.log)
    return publish(
      reply,
      shopWindowPage(shop, {
        page,
        pages,
        locale,
        query: toQuery(saidBy(readRepaired(queryPairs(rawQuery(request.url))))),
        notice: await cartNotice(request, locale),
        products: products.map((product) => ({
          ...offerOf(product),
          isSoldOut: soldOut.has(product.sku),
        })),
      }),
    )
  })

  const stepsFrom: NonNullable<FastifyContextConfig['nextSteps']> = (
    { params: { item = '' }, url, log },
    failure,
  ) => nextSteps({ segment: item, pairs: queryPairs(rawQuery(url)), failure }, { catalog, store, now, log })
  const productRoute = { config: { nextSteps: stepsFrom } } as const

  app.get<{ Params: { item: string } }>('/products/:item', productRoute, async (request, reply) => {
    const { item } = request.params
    const product = findProduct(item)
    const rest = readRest(item, queryPairs(rawQuery(request.url)), catalog.current)
    const said = saidBy(rest.parameters)
    const locale = bestLocale(request.languages())
    return publish(
      reply,
      productPage(shop, offerOf(product), {
        locale,
        unavailable: await whyUnavailable(request, product),
        notice: await cartNotice(request, locale),
        form: formOf({ product, quantity: rest.items[0]?.quantity }, said),
        query: toQuery(said),
      }),
    )
  })

  // The cookie is not sent with a form of another site (SameSite=Lax), so none can remove anything.
  app.post(REMOVE_SAVED_CART_PATH, async (request, reply) => {
    const { browserId, body, log } = request
    if (browserId !== undefined)
      await optional(log, 'cart.not-removed', () => store.savedCarts.remove(browserId))
    const { continueTo } = readRepaired(queryPairs('', typeof body === 'string' ? body : ''))
    return reply.redirect(resolveContinueTo(continueTo, new URL(publicUrl)) ?? '/', 303)
  })

  // The buy link of a product as a QR code, for pages and posters.
  app.get<{ Params: { file: string } }>('/qr/:file', async (request, reply) => {
    const [, item, format] = /^(.+)\.(svg|png)$/su.exec(request.params.file) ?? []
    if (item === undefined) throw new AppError('unknown-sku')
    const link = `${publicUrl}/buy/${encodeSku(findProduct(item).sku)}`
    reply
      .header('cache-control', 'public, max-age=300')
      // Other sites may embed it.
      .header('cross-origin-resource-policy', 'cross-origin')
    return format === 'png'
      ? reply.type('image/png').send(Buffer.from(qrPng(link)))
      : reply.type('image/svg+xml; charset=utf-8').send(qrSvg(link))
  })

  // During a deployment a page of one version may request its stylesheet from a process of the other version. It gets the
  // stylesheet of that process, and caches must revalidate it.
  app.get<{ Params: { file: string } }>('/assets/:file', async (request, reply) => {
    const { file } = request.params
    if (!/^style-[0-9a-f]{1,64}\.css$/.test(file)) return reply.callNotFound()
    const isCurrent = `/assets/${file}` === cssPath
    return reply
      .header('cache-control', isCurrent ? 'public, max-age=31536000, immutable' : 'no-cache')
      .header('x-content-type-options', 'nosniff')
      .type('text/css; charset=utf-8')
      .send(css)
  })

  // Browsers always request the first one; as an unknown path it would count against the rate limit of buy links.
  for (const path of ['/favicon.ico', FAVICON_PATH]) {
    app.get(path, async (_request, reply) =>
      reply.header('cache-control', 'public, max-age=86400').type('image/svg+xml').send(icon),
    )
  }

  app.get('/robots.txt', async (_request, reply) =>
    reply.header('cache-control', CACHE_ONE_HOUR).type('text/plain; charset=utf-8').send(ROBOTS),
  )

  // For agents (UCP, capability dev.ucp.shopping.permalink); the standard demands https.
  if (publicUrl.startsWith('https:')) {
    app.get('/.well-known/ucp', async (_request, reply) =>
      reply
        .header('cache-control', CACHE_ONE_HOUR)
        .header('access-control-allow-origin', '*')
        .send(ucpProfile(publicUrl)),
    )
  } else {
    app.log.info({ event: 'shop.ucp.disabled' }, 'PUBLIC_URL is not https: /.well-known/ucp is not served')
  }

  /** @throws AppError unknown-sku, malformed-link */
  function findProduct(segment: string): Product {
    const items = findItems(segment, catalog.current)
    const product = items.form === 'bare' ? catalog.current.find(items.sku) : undefined
    if (product === undefined) throw new AppError('unknown-sku')
    return product
  }

  /** The cart that this browser has saved, as a fragment for a page; empty where the store fails. */
  async function cartNotice(request: FastifyRequest, locale: string): Promise<string> {
    const browserId = request.browserId
    if (browserId === undefined) return ''
    const time = now()
    const savedAfter = new Date(time.getTime() - SAVED_CART_MS).toISOString()
    const cart = await optional(request.log, 'shop.saved-cart.unavailable', () =>
      store.savedCarts.find(browserId, savedAfter),
    )
    if (cart === undefined) return ''
    const path = request.url
    const context = { catalog: catalog.current, secrets: config.linkSigningSecrets, now: time }
    try {
      const order = priceLink(context.catalog, readLink(cart.items, cart.fields, context), time)
      const form = { action: `/buy/${cart.items}`, hiddenFields: cart.fields }
      return savedCartNotice({ ...orderSummaryOf(order, locale), ...form }, path)
    } catch (error) {
      if (error instanceof AppError) return savedCartNotice(undefined, path)
      throw error
    }
  }

  /** Why a product cannot be bought now; undefined where it can, or the store cannot count its sales. */
  async function whyUnavailable(request: FastifyRequest, product: Product) {
    const state = availability(product, now())
    if (state !== 'available') return state
    return (await soldOutAmong([product], store, request.log)).has(product.sku) ? 'sold-out' : undefined
  }
}

function ucpProfile(publicUrl: string) {
  const permalink = {
    version: UCP_VERSION,
    spec: `https://ucp.dev/${UCP_VERSION}/specification/permalink`,
    schema: `https://ucp.dev/${UCP_VERSION}/schemas/shopping/permalink.json`,
    config: { endpoint: `${publicUrl}/buy` },
  }
  return {
    ucp: {
      version: UCP_VERSION,
      services: {},
      payment_handlers: {},
      capabilities: { 'dev.ucp.shopping.permalink': [permalink] },
    },
  }
}

/** A page that search engines may list. Caches must revalidate it each time, since prices change. */
function publish(reply: FastifyReply, page: string) {
  return reply
    .removeHeader('x-robots-tag')
    .header('cache-control', 'private, no-cache')
    .header('vary', 'Cookie, Accept-Language')
    .type('text/html; charset=utf-8')
    .send(page)
}
