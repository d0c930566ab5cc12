import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { quantityLimits } from '../catalog/product.ts'
import { printItem } from '../links/cart.ts'
import { resolveContinueTo } from '../links/continue-to.ts'
import { formFields } from '../links/form-fields.ts'
import { linkPath } from '../links/link-builder.ts'
import { readParameters } from '../links/parameters.ts'
import { productPath } from '../links/product-path.ts'
import { confirmPage } from '../pages/confirm-page.ts'
import { bestLocale } from '../pages/money.ts'
import { productPage } from '../pages/product-page.ts'
import { StoreError } from '../store/store.ts'
import { whoIsAsking } from '../visitors/visitor.ts'
import { type Click, printItems, readClick } from './click.ts'
import { type PricedCart, priceCart } from './priced-cart.ts'
import { returnRoutes } from './return-routes.ts'
import { refuseSpent } from './spent.ts'
import { startCheckout } from './start-checkout.ts'
import { UnkeptClicks } from './unkept-clicks.ts'

interface BuyRoute {
  Params: { items: string }
}
type BuyRequest = FastifyRequest<BuyRoute>

/** The links themselves and the way back from the checkout. */
export async function checkoutRoutes(app: FastifyInstance): Promise<void> {
  const publicUrl = new URL(app.config.publicUrl)
  const unkept = new UnkeptClicks()
  // A body that is not read could ask for something else than what is sold: better a 415 than the wrong sale.
  app.removeContentTypeParser(['application/json', 'text/plain'])

  app.get('/buy', async (request, reply) => {
    const { continueTo } = readParameters(rawQuery(request))
    const wish = continueTo === undefined ? undefined : resolveContinueTo(continueTo, publicUrl)
    return reply.redirect(wish ?? '/', 303)
  })

  app.get<BuyRoute>('/buy/:items', { exposeHeadRoute: false }, async (request, reply) => {
    const visitor = whoIsAsking(request.headers)
    request.facts.visitor = visitor
    // No page for either: the one throws it away, the other would show it in the place of a picture.
    if (visitor === 'prefetch') return reply.code(503).send()
    if (visitor === 'subresource') return reply.code(403).send()
    const click = readRequest(request)
    const priced = await price(request, click)
    if (visitor === 'preview') return preview(request, reply, click, priced)
    const { continueTo } = click.parameters
    const path = continueTo === undefined ? undefined : resolveContinueTo(continueTo, publicUrl)
    if (path !== undefined && (await keepSelection(request, reply, click))) return reply.redirect(path, 303)
    if (asksFirst(priced)) return html(reply, confirm(request, click, priced))
    return sendToCheckout(request, reply, { click, priced, status: click.items.form === 'bare' ? 302 : 303 })
  })

  app.post<BuyRoute>('/buy/:items', async (request, reply) => {
    const visitor = whoIsAsking(request.headers)
    request.facts.visitor = visitor
    if (visitor === 'prefetch') return reply.code(503).send()
    if (visitor === 'subresource') return reply.code(403).send()
    const click = readRequest(request)
    return sendToCheckout(request, reply, { click, priced: await price(request, click), status: 303 })
  })

  // A HEAD tells how the GET would go, and opens nothing.
  app.head<BuyRoute>('/buy/:items', async (request, reply) => {
    await price(request, readRequest(request))
    return reply.type('text/html; charset=utf-8').send()
  })

  await app.register(returnRoutes, { unkept })

  function readRequest(request: BuyRequest): Click {
    const { body } = request
    return readClick(
      {
        segment: request.params.items,
        query: rawQuery(request),
        body: typeof body === 'string' ? body : undefined,
      },
      { catalog: app.catalog.current, secrets: app.config.linkSigningSecrets, now: app.now() },
    )
  }

  async function price(request: FastifyRequest, click: Click): Promise<PricedCart> {
    const priced = priceCart(app.catalog.current, click.cart, app.now(), click.terms.amount)
    await refuseSpent(priced, click, app.store.checkouts, request.log)
    return priced
  }

  function asksFirst({ lines }: PricedCart): boolean {
    return app.config.linkProtection === 'confirm' || lines.some(({ product }) => product.confirm === true)
  }

  function confirm(request: FastifyRequest, click: Click, priced: PricedCart): string {
    return confirmPage(app.shop, {
      items: priced.lines.map(({ product, quantity, amount }) => ({ name: product.name, quantity, amount })),
      amountTotal: priced.amountTotal,
      currency: priced.currency,
      locale: bestLocale(request.headers['accept-language']),
      action: `/buy/${printItems(click.items)}`,
      hiddenFields: formFields(click.parameters),
    })
  }

  /** What the link leads to, with a form instead of a link: a program follows links, and presses no buttons. */
  function preview(request: FastifyRequest, reply: FastifyReply, click: Click, priced: PricedCart) {
    const [only, ...more] = priced.lines
    if (only === undefined || more.length > 0 || click.terms.amount !== undefined) {
      return html(reply, confirm(request, click, priced))
    }
    const { product } = only
    const page = productPage(app.shop, {
      product,
      quantity: quantityLimits(product),
      buyAction: `/buy/${printItem(product.sku)}`,
      pageUrl: app.shop.publicUrl + productPath(product.sku),
      locale: bestLocale(request.headers['accept-language']),
    })
    return html(reply, page)
  }

  /** Keeps what the link asks for while the buyer looks around; false where the store cannot keep it. */
  async function keepSelection(request: FastifyRequest, reply: FastifyReply, click: Click): Promise<boolean> {
    try {
      await app.store.selections.keep(app.nameBrowser(request, reply), {
        items: printItems(click.items),
        fields: formFields(click.parameters),
      })
      return true
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      request.log.error(
        { code: error.code },
        'the store could not keep a selection; the checkout opens instead',
      )
      return false
    }
  }

  async function sendToCheckout(
    request: FastifyRequest,
    reply: FastifyReply,
    { click, priced, status }: { click: Click; priced: PricedCart; status: 302 | 303 },
  ) {
    const known = app.knownBrowser(request)
    const { checkoutId, checkoutUrl, isSame } = await startCheckout(
      {
        dots: app.dots,
        checkouts: app.store.checkouts,
        settle: { ...app.settle, log: request.log },
        log: request.log,
        publicUrl: app.config.publicUrl,
        expiresIn: app.config.checkoutExpiresIn,
        now: app.now,
        unkept,
        browser: app.nameBrowser(request, reply),
        link: click.linkId === undefined ? linkPath(click.cart, publicUrl) : signedPath(click),
      },
      click,
      priced,
    )
    Object.assign(request.facts, { checkout: checkoutId, ...(isSame && { same: true }) })
    if (known !== undefined && request.method === 'POST') await forgetSelection(request, known)
    return reply.redirect(checkoutUrl.href, status)
  }

  /** What was checked out needs no reminder any more; a reminder too many harms nobody. */
  async function forgetSelection(request: FastifyRequest, browser: string): Promise<void> {
    try {
      await app.store.selections.forget(browser)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      request.log.warn({ code: error.code }, 'the store could not forget a selection')
    }
  }
}

/** A signed link as it came, since its price and its signature are one. */
function signedPath({ items, parameters }: Click): string {
  const query = formFields(parameters)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
  return `/buy/${printItems(items)}?${query}`
}

function html(reply: FastifyReply, page: string) {
  return reply.type('text/html; charset=utf-8').send(page)
}

/** The query as it came, since only the raw text tells `+` from a space. */
function rawQuery(request: FastifyRequest): string {
  const at = request.url.indexOf('?')
  return at === -1 ? '' : request.url.slice(at + 1)
}
