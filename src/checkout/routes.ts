import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { quantityLimits } from '../catalog/product.ts'
import { RETURN_DEADLINE_MS } from '../dots/client.ts'
import { type Cart, parseItems } from '../links/cart.ts'
import { resolveContinueTo } from '../links/continue-to.ts'
import { linkPath } from '../links/link-builder.ts'
import { type LinkParameters, readParameters } from '../links/parameters.ts'
import { QuantityError, UnknownSkuError } from './errors.ts'
import { priceCart } from './priced-cart.ts'
import { returnRoutes } from './return-routes.ts'
import { refuseSoldOut, startCheckout } from './start-checkout.ts'

type BuyRequest = FastifyRequest<{ Params: { items: string } }>

/** The links themselves and the way back from the checkout. */
export async function checkoutRoutes(app: FastifyInstance): Promise<void> {
  const publicUrl = new URL(app.config.publicUrl)
  // A body that is not read could ask for something else than what is sold: better a 415 than the wrong sale.
  app.removeContentTypeParser(['application/json', 'text/plain'])

  app.get('/buy', async (request, reply) => {
    const { continueTo } = readParameters(rawQuery(request))
    const wish = continueTo === undefined ? undefined : resolveContinueTo(continueTo, publicUrl)
    return reply.redirect(wish ?? '/', 303)
  })

  app.get<{ Params: { items: string } }>(
    '/buy/:items',
    { exposeHeadRoute: false },
    async (request, reply) => {
      const { cart, parameters, form } = readLink(request)
      return sendToCheckout(request, reply, cart, parameters, form === 'bare' ? 302 : 303)
    },
  )

  app.post<{ Params: { items: string } }>('/buy/:items', async (request, reply) => {
    const { cart, parameters } = readLink(request)
    return sendToCheckout(request, reply, cart, parameters, 303)
  })

  // A HEAD tells how the GET would go, and opens nothing.
  app.head<{ Params: { items: string } }>('/buy/:items', async (request, reply) => {
    const priced = priceCart(app.catalog.current, readLink(request).cart, app.now())
    await refuseSoldOut(priced, app.store.checkouts, request.log)
    return reply.type('text/html; charset=utf-8').send()
  })

  await app.register(returnRoutes, { deadlineMs: RETURN_DEADLINE_MS })

  function readLink(request: BuyRequest) {
    const items = parseItems(request.params.items)
    const parameters = readParameters(rawQuery(request), formBody(request))
    if (items.form === 'permalink') return { form: items.form, cart: items.cart, parameters }
    return { form: items.form, cart: bareCart(items.sku, parameters), parameters }
  }

  function bareCart(sku: string, { quantity }: LinkParameters): Cart {
    const product = app.catalog.current.find(sku)
    if (product === undefined) throw new UnknownSkuError()
    if (quantity.kind === 'invalid') throw new QuantityError()
    // A link without a quantity asks for the least that can be bought, which is one nearly always.
    return [{ sku, quantity: quantity.kind === 'given' ? quantity.value : quantityLimits(product).minimum }]
  }

  async function sendToCheckout(
    request: FastifyRequest,
    reply: FastifyReply,
    cart: Cart,
    parameters: LinkParameters,
    status: 302 | 303,
  ) {
    const { checkoutId, checkoutUrl } = await startCheckout(
      {
        catalog: app.catalog.current,
        dots: app.dots,
        checkouts: app.store.checkouts,
        log: request.log,
        publicUrl: app.config.publicUrl,
        expiresIn: app.config.checkoutExpiresIn,
        now: app.now,
        linkTo: (items) => linkPath(items, publicUrl),
      },
      cart,
      parameters,
    )
    request.facts.checkout = checkoutId
    return reply.redirect(checkoutUrl.href, status)
  }
}

/** The query as it came, since only the raw text tells `+` from a space. */
export function rawQuery(request: FastifyRequest): string {
  const at = request.url.indexOf('?')
  return at === -1 ? '' : request.url.slice(at + 1)
}

function formBody(request: FastifyRequest): string | undefined {
  return typeof request.body === 'string' ? request.body : undefined
}
