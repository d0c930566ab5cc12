import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { CHECKOUT_ID_PATTERN } from '../orders/session-metadata.ts'
import { checkoutStatusPage } from '../pages/checkout-status.ts'
import { bestLocale } from '../pages/money.ts'
import type { Checkout } from '../store/checkout.ts'
import { optional } from '../store/store.ts'
import type { RefreshedCheckout, Status } from './status.ts'

// The first refreshes come quickly, since most payments are confirmed within seconds; a tab that stays open all day must
// not make Dots answer every few seconds.
const FIRST_REFRESH_SECONDS = 3
const MAX_REFRESH_SECONDS = 60
const MAX_REFRESHES = 99

const ReturnQuery = Type.Object({
  checkout: Type.String({ pattern: CHECKOUT_ID_PATTERN }),
  /** How often this page has refreshed itself already. */
  look: Type.Optional(Type.String()),
})
// A malformed id gets the answer of an unknown one, so the handler looks at the outcome itself.
const returnRoute = {
  exposeHeadRoute: false,
  attachValidation: true,
  schema: { querystring: ReturnQuery },
} as const

export interface ReturnRoutesOptions {
  config: Pick<Config, 'shop'>
  catalog: Pick<LiveCatalog, 'current'>
  status: Status
  dots: { checkUrl(raw: string): URL | undefined }
  now: () => Date
}

/** Where buyers land after the checkout. What these pages say of a payment is what Dots says, whatever the URL says. */
export const returnRoutes: FastifyPluginAsyncTypebox<ReturnRoutesOptions> = async (app, options) => {
  const { config, catalog, status, dots, now } = options

  app.get('/success', returnRoute, async (request, reply) => {
    if (request.validationError) throw new AppError('unknown-checkout')
    return statusPage(request, reply, request.query, false)
  })

  app.get('/cancel', returnRoute, async (request, reply) => {
    if (request.validationError) throw new AppError('unknown-checkout')
    return statusPage(request, reply, request.query, true)
  })

  async function statusPage(
    request: FastifyRequest,
    reply: FastifyReply,
    { checkout: id, look }: { checkout: string; look?: string },
    cancelled: boolean,
  ) {
    request.logFields.checkout = id
    const refresh = nextRefresh(id, refreshCount(look), cancelled ? 'cancel' : 'success')
    const found = await optional(
      request.log,
      'checkout.not-read',
      async () => ({ checkout: await status.find(id) }),
      {
        checkout: id,
      },
    )
    reply.type('text/html; charset=utf-8')
    if (found === undefined) {
      reply.code(503).header('retry-after', FIRST_REFRESH_SECONDS)
      return checkoutStatusPage(config.shop, {
        status: 'unknown',
        cancelled: false,
        refresh,
        requestId: request.id,
      })
    }
    if (found.checkout === undefined) throw new AppError('unknown-checkout')
    const refreshed = await status.refresh(found.checkout, request.log)
    const { checkout } = refreshed
    return checkoutStatusPage(config.shop, {
      status: refreshed.status,
      cancelled,
      order: {
        items: checkout.items,
        amountTotal: checkout.amountTotal,
        currency: checkout.currency,
        locale: bestLocale(request.languages()),
      },
      orderReference: checkout.id,
      checkoutUrl: continueUrl(refreshed)?.href,
      buyAgainUrl: checkout.link,
      successUrl: `/success?checkout=${id}`,
      refresh,
      ...afterCompletion(checkout),
    })
  }

  /** Where the checkout can be continued. Where Dots cannot be asked: the known session, while it should be open. */
  function continueUrl({ status, checkout, checkoutUrl }: RefreshedCheckout): URL | undefined {
    if (status !== 'unknown' || checkout.state !== 'open' || checkout.checkoutUrl === null) return checkoutUrl
    const isAlive = checkout.expiresAt !== null && new Date(checkout.expiresAt) > now()
    return isAlive ? dots.checkUrl(checkout.checkoutUrl) : undefined
  }

  /** The merchant's own words and URL for after the purchase: those of the first product that has any. */
  function afterCompletion({ items }: Checkout) {
    const wanted = items.map(({ sku }) => catalog.current.find(sku)?.after_completion)
    return {
      customMessage: wanted.find((one) => one?.custom_message !== undefined)?.custom_message,
      continueUrl: wanted.find((one) => one?.redirect_url !== undefined)?.redirect_url,
    }
  }
}

/** Nonsense counts as none: it only decides how long to wait for the next refresh. */
function refreshCount(text: string | undefined): number {
  return /^\d{1,2}$/.test(text ?? '') ? Number(text) : 0
}

function nextRefresh(id: string, count: number, path: 'success' | 'cancel') {
  return {
    seconds: Math.min(FIRST_REFRESH_SECONDS * 1.5 ** count, MAX_REFRESH_SECONDS),
    url: `/${path}?checkout=${id}&look=${Math.min(count + 1, MAX_REFRESHES)}`,
  }
}
