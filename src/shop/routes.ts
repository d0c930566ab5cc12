import etag from '@fastify/etag'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { type Product, salesLimit } from '../catalog/product.ts'
import { keptSelection } from '../checkout/kept-selection.ts'
import { AppError } from '../errors.ts'
import { parseItems, printItem } from '../links/cart.ts'
import { productPath } from '../links/product-path.ts'
import { bestLocale } from '../pages/money.ts'
import { shopWindowPage } from '../pages/shop-window.ts'
import { StoreError } from '../store/store.ts'
import { productView } from './product-view.ts'

/** A page that a phone loads in a moment; catalogs hold up to a hundred thousand products. */
const PRODUCTS_ON_A_PAGE = 48
/** A selection that nobody came back to in a day is forgotten; its cookie lives for hours only. */
const SELECTION_MS = 24 * 3_600_000

const WindowQuery = Type.Object({ page: Type.Integer({ minimum: 1, default: 1 }) })

/** The pages that want to be found: the shop window and the products. */
export const shopRoutes: FastifyPluginAsyncTypebox = async (app) => {
  await app.register(etag)

  app.get('/', { schema: { querystring: WindowQuery }, attachValidation: true }, async (request, reply) => {
    const onSale = app.catalog.current.onSale(app.now())
    const pages = Math.max(1, Math.ceil(onSale.length / PRODUCTS_ON_A_PAGE))
    // A page number that is none leads to the first page, where everybody else begins.
    const page = request.validationError ? 1 : Math.min(request.query.page, pages)
    const shown = onSale.slice((page - 1) * PRODUCTS_ON_A_PAGE, page * PRODUCTS_ON_A_PAGE)
    return publish(
      reply,
      shopWindowPage(app.shop, {
        page,
        pages,
        locale: localeOf(request),
        notice: await notice(request),
        products: shown.map(({ sku, name, description, images, amount, currency }) => ({
          sku,
          name,
          amount,
          currency,
          buyUrl: `/buy/${printItem(sku)}`,
          pageUrl: productPath(sku),
          ...(description !== undefined && { description }),
          ...(images?.[0] !== undefined && { image: images[0] }),
        })),
      }),
    )
  })

  app.get<{ Params: { item: string } }>('/products/:item', async (request, reply) => {
    const items = parseItems(request.params.item)
    const product = items.form === 'bare' ? app.catalog.current.find(items.sku) : undefined
    if (product === undefined) throw new AppError('unknown-sku')
    const page = productView(app.shop, product, {
      now: app.now(),
      locale: localeOf(request),
      soldOut: await isSoldOut(request, product),
      notice: await notice(request),
    })
    return publish(reply, page)
  })

  /** What this browser has put together; nothing where the store cannot tell. */
  async function notice(request: FastifyRequest): Promise<string> {
    const browser = app.knownBrowser(request)
    if (browser === undefined) return ''
    const now = app.now()
    try {
      const keptAfter = new Date(now.getTime() - SELECTION_MS).toISOString()
      const selection = await app.store.selections.find(browser, keptAfter)
      if (selection === undefined) return ''
      return keptSelection(app.shop, selection, {
        catalog: app.catalog.current,
        secrets: app.config.linkSigningSecrets,
        now,
        locale: localeOf(request),
      })
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      request.log.warn({ code: error.code }, 'the store could not tell a selection')
      return ''
    }
  }

  async function isSoldOut(request: FastifyRequest, product: Product): Promise<boolean> {
    const limit = salesLimit(product)
    if (limit === undefined) return false
    try {
      return (await app.store.checkouts.countSales(product.sku, limit)) >= limit
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      request.log.warn({ code: error.code }, 'the store could not count sales')
      return false
    }
  }
}

function localeOf(request: FastifyRequest): string {
  return bestLocale(request.headers['accept-language'])
}

/** A page for everybody and for search engines, which is asked after again each time, since prices change. */
function publish(reply: FastifyReply, page: string) {
  return reply
    .removeHeader('x-robots-tag')
    .header('cache-control', 'private, no-cache')
    .header('vary', 'Cookie, Accept-Language')
    .type('text/html; charset=utf-8')
    .send(page)
}
