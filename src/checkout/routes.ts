import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import type { Config } from '../config.ts'
import { formatItems } from '../links/cart.ts'
import { resolveContinueTo } from '../links/continue-to.ts'
import { saidBy, toQuery } from '../links/link-builder.ts'
import { formFields, type Pair, queryPairs, rawQuery } from '../links/parameters.ts'
import { readRepaired } from '../links/repair.ts'
import { confirmPage } from '../pages/confirm.ts'
import { bestLocale } from '../pages/money.ts'
import { productPage } from '../pages/product.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import { type Link, linkReader } from './link.ts'
import { formOf, nextSteps, offerOf } from './next-steps.ts'
import type { CheckoutService } from './open-checkout.ts'
import { checkSalesLimits, hasSalesLimits, type Order, orderSummaryOf, priceLink } from './price.ts'
import { classifyRequest } from './visitor.ts'

interface BuyRoute {
  Params: { items: string }
}
type BuyRequest = FastifyRequest<BuyRoute>

interface CheckoutRoutesOptions {
  config: Config
  catalog: LiveCatalog
  store: Store
  checkout: CheckoutService
  now: () => Date
}

/** The buy links. */
export async function checkoutRoutes(app: FastifyInstance, options: CheckoutRoutesOptions): Promise<void> {
  const { config, catalog, store, checkout, now } = options
  const { shop } = config
  const publicUrl = new URL(shop.publicUrl)
  const readLink = linkReader()
  // A body in another format gets a 415: if it were ignored, the sale could differ from what it asks for.
  app.removeContentTypeParser(['application/json', 'text/plain'])

  app.get('/buy', { config: { limit: 'checkout' } }, async (request, reply) => {
    const { continueTo, attribution } = readRepaired(queryPairs(rawQuery(request.url)))
    // Nothing else that a link says may be forwarded in a URL.
    const query = toQuery(saidBy({ attribution }))
    return reply.redirect(resolveContinueTo(continueTo, publicUrl) ?? `/${query && `?${query}`}`, 303)
  })

  const stepsFrom: NonNullable<FastifyContextConfig['nextSteps']> = (
    { params: { items = '' }, url, body, log },
    failure,
  ) => nextSteps({ segment: items, pairs: pairsOf({ url, body }), failure }, { ...options, log })
  const buyRoute = {
    config: { limit: 'checkout', buy: true, nextSteps: stepsFrom },
    exposeHeadRoute: false,
  } as const

  app.get<BuyRoute>('/buy/:items', buyRoute, async (request, reply) => {
    const visitor = classifyRequest(request.headers)
    request.logFields.visitor = visitor
    // Both get an empty response: nobody would see a page.
    if (visitor === 'prefetch') return reply.code(503).send()
    if (visitor === 'subresource') return reply.code(403).send()
    const order = await readOrder(request)
    if (visitor === 'preview') return html(reply, previewPage(request, order))
    const { link } = order
    const path = resolveContinueTo(link.parameters.continueTo, publicUrl)
    if (path !== undefined && (await saveCart(request, reply, link))) return reply.redirect(path, 303)
    if (needsConfirmation(order)) return html(reply, confirmation(request, order))
    return redirectToCheckout(request, reply, order, link.items.form === 'bare' ? 302 : 303)
  })

  app.post<BuyRoute>('/buy/:items', buyRoute, async (request, reply) => {
    const visitor = classifyRequest(request.headers)
    request.logFields.visitor = visitor
    if (visitor === 'prefetch') return reply.code(503).send()
    if (visitor === 'subresource') return reply.code(403).send()
    return redirectToCheckout(request, reply, await readOrder(request), 303)
  })

  // A HEAD gets the error status that the GET would get, or 200. It opens nothing.
  app.head<BuyRoute>('/buy/:items', buyRoute, async (request, reply) => {
    await readOrder(request)
    return reply.type('text/html; charset=utf-8').send()
  })

  function readOrder(request: BuyRequest): Order | Promise<Order> {
    const pairs = pairsOf(request)
    const context = { catalog: catalog.current, secrets: config.linkSigningSecrets, now: now() }
    const order = priceLink(context.catalog, readLink(request.params.items, pairs, context), context.now)
    // Most products have none: their clicks wait for nothing here.
    if (!hasSalesLimits(order)) return order
    return checkSalesLimits(order, store, request.log).then(() => order)
  }

  function needsConfirmation({ lines }: Order): boolean {
    return config.linkProtection === 'confirm' || lines.some(({ product }) => product.confirm === true)
  }

  function confirmation(request: FastifyRequest, order: Order): string {
    const { items, parameters } = order.link
    const form = { action: `/buy/${formatItems(items)}`, hiddenFields: formFields(parameters) }
    return confirmPage(shop, { ...orderSummaryOf(order, bestLocale(request.languages())), ...form })
  }

  /** The product or cart of the link, with a form instead of a link: programs follow links, but press no buttons. */
  function previewPage(request: FastifyRequest, order: Order): string {
    const [only, ...more] = order.lines
    if (only === undefined || more.length > 0 || order.link.linkId !== undefined) {
      return confirmation(request, order)
    }
    const said = saidBy(order.link.parameters)
    return productPage(shop, offerOf(only.product), {
      locale: bestLocale(request.languages()),
      form: formOf(only, said),
      query: toQuery(said),
    })
  }

  /** Saves what the link asks for while the buyer looks around; false where the store cannot save it. */
  async function saveCart(request: FastifyRequest, reply: FastifyReply, link: Link): Promise<boolean> {
    const cart = { items: formatItems(link.items), fields: formFields(link.parameters) }
    const saved = await optional(request.log, 'cart.not-saved', async () => {
      await store.savedCarts.save(reply.ensureBrowserId(), cart, link.cart)
      return true
    })
    return saved === true
  }

  async function redirectToCheckout(
    request: FastifyRequest,
    reply: FastifyReply,
    order: Order,
    status: 302 | 303,
  ): Promise<FastifyReply> {
    const isNewBrowser = request.browserId === undefined
    const { checkoutId, url, origin } = await checkout.open(order, {
      browserId: reply.ensureBrowserId(),
      isNewBrowser,
      log: request.log,
    })
    request.logFields.checkout = checkoutId
    if (origin !== 'new') request.logFields[origin] = true
    return reply.redirect(url.href, status)
  }
}

function html(reply: FastifyReply, page: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(page)
}

/** What the link's query and a form's fields say together. */
function pairsOf({ url, body }: Pick<FastifyRequest, 'url' | 'body'>): Pair[] {
  const query = rawQuery(url)
  const form = typeof body === 'string' ? body : undefined
  return query === '' && form === undefined ? [] : queryPairs(query, form)
}
