import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { availability } from '../catalog/product.ts'
import { printItem } from '../links/cart.ts'
import { bestLocale } from '../pages/money.ts'
import { shopWindowPage } from '../pages/shop-window.ts'

/** A page that a phone loads in a moment; catalogs hold up to a hundred thousand products. */
const PRODUCTS_ON_A_PAGE = 48

const WindowQuery = Type.Object({ page: Type.Integer({ minimum: 1, default: 1 }) })

/** The shop window: what can be bought now. */
export const shopRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/', { schema: { querystring: WindowQuery } }, async (request, reply) => {
    const now = app.now()
    const onSale = app.catalog.current.products.filter(
      (product) => availability(product, now).state === 'available',
    )
    const pages = Math.max(1, Math.ceil(onSale.length / PRODUCTS_ON_A_PAGE))
    const page = Math.min(request.query.page, pages)
    const shown = onSale.slice((page - 1) * PRODUCTS_ON_A_PAGE, page * PRODUCTS_ON_A_PAGE)
    return reply
      .removeHeader('x-robots-tag')
      .header('cache-control', 'no-cache')
      .type('text/html; charset=utf-8')
      .send(
        shopWindowPage(app.shop, {
          page,
          pages,
          locale: bestLocale(request.headers['accept-language']),
          products: shown.map(({ sku, name, description, images, amount, currency }) => ({
            sku,
            name,
            amount,
            currency,
            buyUrl: `/buy/${printItem(sku)}`,
            ...(description !== undefined && { description }),
            ...(images?.[0] !== undefined && { image: images[0] }),
          })),
        }),
      )
  })
}
