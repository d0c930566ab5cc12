import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { AppError } from '../errors.ts'
import { CHECKOUT_ID_PATTERN } from '../orders/session-metadata.ts'
import { cancelPage } from '../pages/cancel-page.ts'
import { bestLocale } from '../pages/money.ts'
import { confirmingPage, expiredPage, paidPage, stillOpenPage } from '../pages/success-pages.ts'
import type { Checkout } from '../store/checkout.ts'
import { StoreError } from '../store/store.ts'
import { type Standing, standingOf } from './standing.ts'
import type { UnkeptClicks } from './unkept-clicks.ts'

// The first looks come quickly, since most payments are confirmed within seconds; a tab that stays open all day must
// not ask Dots every few seconds.
const FIRST_LOOK_SECONDS = 3
const LONGEST_LOOK_SECONDS = 60
const MOST_LOOKS = 99

const ReturnQuery = Type.Object({
  checkout: Type.String({ pattern: CHECKOUT_ID_PATTERN }),
  /** How often this page has looked already. */
  look: Type.Optional(Type.String()),
})
// A malformed id gets the answer of an unknown one, so the handler looks at the outcome itself.
const returnRoute = {
  exposeHeadRoute: false,
  attachValidation: true,
  schema: { querystring: ReturnQuery },
} as const

/** Where buyers land after the checkout. What these pages say of a payment is what Dots says, whatever the URL says. */
export const returnRoutes: FastifyPluginAsyncTypebox<{ unkept: UnkeptClicks }> = async (app, { unkept }) => {
  app.get('/success', returnRoute, async (request, reply) => {
    if (request.validationError) throw new AppError('unknown-checkout')
    const { checkout: id } = request.query
    const looks = looksOf(request.query.look)
    const lookAgain = nextLook(id, looks)
    const reference = request.id
    const standing = await look(request, reply, id)
    if (standing === 'store-down') {
      return page(reply, confirmingPage(app.shop, { lookAgain, reference }))
    }
    const { checkout } = standing
    const order = orderOf(checkout, request)
    switch (standing.state) {
      case 'paid':
        return page(
          reply,
          paidPage(app.shop, { ...order, ...afterCompletion(checkout), reference: checkout.id }),
        )
      case 'open':
        return page(
          reply,
          stillOpenPage(app.shop, {
            ...order,
            checkoutUrl: standing.checkoutUrl.href,
            lookAgain,
            reference: checkout.id,
          }),
        )
      case 'ended':
        return page(
          reply,
          expiredPage(app.shop, { ...order, buyAgainUrl: checkout.link, reference: checkout.id }),
        )
      case 'unconfirmed':
        return page(reply, confirmingPage(app.shop, { lookAgain, reference: checkout.id }))
    }
  })

  app.get('/cancel', returnRoute, async (request, reply) => {
    if (request.validationError) throw new AppError('unknown-checkout')
    const { checkout: id } = request.query
    const standing = await look(request, reply, id)
    if (standing === 'store-down') {
      return page(
        reply,
        confirmingPage(app.shop, { lookAgain: nextLook(id, 0, 'cancel'), reference: request.id }),
      )
    }
    const { checkout } = standing
    const order = { ...orderOf(checkout, request), reference: checkout.id }
    switch (standing.state) {
      case 'paid':
        return page(
          reply,
          cancelPage(app.shop, { ...order, state: 'paid', successUrl: `/success?checkout=${id}` }),
        )
      case 'open':
        return page(
          reply,
          cancelPage(app.shop, { ...order, state: 'open', checkoutUrl: standing.checkoutUrl.href }),
        )
      case 'ended':
        return page(reply, cancelPage(app.shop, { ...order, state: 'ended', buyAgainUrl: checkout.link }))
      case 'unconfirmed':
        return page(reply, cancelPage(app.shop, { ...order, ...wayBack(checkout), notCharged: false }))
    }
  })

  async function look(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
  ): Promise<Standing | 'store-down'> {
    request.facts.checkout = id
    let checkout: Checkout | undefined
    try {
      checkout = await app.store.checkouts.find(id)
      // The store was down at the click, and is back before the sweep has come round.
      if (checkout?.sessionId == null) checkout = (await unkept.restore(id, app.store.checkouts)) ?? checkout
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      request.log.error({ code: error.code, checkout: id }, 'the store could not be asked about a checkout')
      reply.code(503).header('retry-after', FIRST_LOOK_SECONDS)
      return 'store-down'
    }
    if (checkout === undefined) throw new AppError('unknown-checkout')
    const settle = { ...app.settle, log: request.log }
    return standingOf({ dots: app.dots, settle }, checkout)
  }

  /** The link back where Dots cannot be asked: the same session while it should be open, the link itself after that. */
  function wayBack(checkout: Checkout) {
    const url = checkout.checkoutUrl === null ? undefined : app.dots.checkUrl(checkout.checkoutUrl)
    const alive = checkout.expiresAt !== null && new Date(checkout.expiresAt) > app.now()
    return url !== undefined && alive && checkout.state === 'open'
      ? { state: 'open' as const, checkoutUrl: url.href }
      : { state: 'ended' as const, buyAgainUrl: checkout.link }
  }

  /** The merchant's own words and address for after the purchase: those of the first product that has any. */
  function afterCompletion(checkout: Checkout) {
    const wishes = checkout.items.map(({ sku }) => app.catalog.current.find(sku)?.after_completion)
    const customMessage = wishes.find((wish) => wish?.custom_message !== undefined)?.custom_message
    const continueUrl = wishes.find((wish) => wish?.redirect_url !== undefined)?.redirect_url
    return {
      ...(customMessage !== undefined && { customMessage }),
      ...(continueUrl !== undefined && { continueUrl }),
    }
  }
}

/** Nonsense counts as a first look: it is only about how long to wait for the next. */
function looksOf(text: string | undefined): number {
  return /^\d{1,2}$/.test(text ?? '') ? Number(text) : 0
}

function nextLook(id: string, look: number, path = 'success') {
  return {
    seconds: Math.min(FIRST_LOOK_SECONDS * 1.5 ** look, LONGEST_LOOK_SECONDS),
    url: `/${path}?checkout=${id}&look=${Math.min(look + 1, MOST_LOOKS)}`,
  }
}

function orderOf(checkout: Checkout, request: FastifyRequest) {
  return {
    items: checkout.items,
    amountTotal: checkout.amountTotal,
    currency: checkout.currency,
    locale: bestLocale(request.headers['accept-language']),
  }
}

function page(reply: FastifyReply, html: string) {
  return reply.type('text/html; charset=utf-8').send(html)
}
