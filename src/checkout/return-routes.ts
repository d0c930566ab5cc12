import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import type { Config } from '../config.ts'
import type { DotsClient } from '../dots/client.ts'
import { AppError } from '../errors.ts'
import { buyPath } from '../links/cart.ts'
import { CHECKOUT_ID_PATTERN } from '../orders/session-metadata.ts'
import { checkoutStatusPage } from '../pages/checkout-status.ts'
import { bestLocale } from '../pages/money.ts'
import type { Checkout } from '../store/checkout.ts'
import { optional } from '../store/store.ts'
import type { RefreshedCheckout, Status } from './status.ts'

// The first refreshes come quickly, since most payments are confirmed within seconds. Later ones are rarer: a tab that
// stays open all day must not cause a call to Dots every few seconds.
const FIRST_REFRESH_SECONDS = 3
const MAX_REFRESH_SECONDS = 60
const MAX_REFRESHES = 99

const ReturnQuery = Type.Object({
  checkout: Type.Array(Type.String()),
  /** How often this page has refreshed itself already. */
  look: Type.Optional(Type.String()),
})
// The handler checks for a validation error itself, because a malformed id gets the same answer as an unknown one.
const returnRoute = { exposeHeadRoute: false, attachValidation: true, schema: { querystring: ReturnQuery } }

/** Mail and chat programs change the case of an id, and glue text to its end. */
const ID_AT_START = new RegExp(`^${CHECKOUT_ID_PATTERN}`, 'i')

interface ReturnRoutesOptions {
  config: Pick<Config, 'shop'>
  catalog: Pick<LiveCatalog, 'current'>
  status: Status
  dots: Pick<DotsClient, 'checkUrl'>
  now: () => Date
}

/** The pages after the checkout. They show the payment status from Dots; nothing in the URL can change it. */
export const returnRoutes: FastifyPluginAsyncTypebox<ReturnRoutesOptions> = async (app, options) => {
  const { config, catalog, status, dots, now } = options

  for (const path of ['/success', '/cancel'] as const) {
    app.get(path, returnRoute, async (request, reply) => {
      const { checkout: given, look } = request.query
      const id = request.validationError ? undefined : checkoutId(given)
      if (id === undefined) throw new AppError('unknown-checkout')
      request.logFields.checkout = id
      reply.type('text/html; charset=utf-8')
      const cancelled = path === '/cancel'
      const refresh = nextRefresh(path, id, look)
      const find = async () => ({ row: await status.find(id) })
      const found = await optional(request.log, 'checkout.not-read', find, { checkout: id })
      if (found === undefined) {
        reply.code(503).header('retry-after', FIRST_REFRESH_SECONDS)
        const page = { status: 'unknown', cancelled: false, refresh, requestId: request.id } as const
        return checkoutStatusPage(config.shop, page)
      }
      if (found.row === undefined) throw new AppError('unknown-checkout')
      const refreshed = await status.refresh(found.row, request.log)
      const { items, amountTotal, amountPaid, currency, customerEmail } = refreshed.checkout
      return checkoutStatusPage(config.shop, {
        status: refreshed.status,
        cancelled,
        order: { items, amountTotal, amountPaid, currency, locale: bestLocale(request.languages()) },
        orderReference: id,
        checkoutUrl: continueUrl(refreshed)?.href,
        buyAgainUrl: linkBack(refreshed.checkout, request.browserId),
        successUrl: `/success?checkout=${id}`,
        refresh,
        email: customerEmail ?? undefined,
        ...afterCompletion(refreshed.checkout),
      })
    })
  }

  /** The URL to continue the checkout. If Dots does not answer: the known one, while it has not expired. */
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

/** The one id that all values start with, in lower case. */
function checkoutId(given: readonly string[]): string | undefined {
  const [id, ...others] = new Set(given.map((text) => ID_AT_START.exec(text)?.[0].toLowerCase()))
  return others.length === 0 ? id : undefined
}

/**
 * Where the same can be bought again: by the link as it came for the browser that made the checkout, by the plain link
 * for everybody else. The id is in the browser's history and in mails, and may not reveal an email or a signed link.
 */
function linkBack({ browserId, link, items }: Checkout, visitor: string | undefined): string {
  return browserId !== null && browserId === visitor ? link : buyPath(items)
}

/** `look`: how often the page has refreshed itself. An invalid value counts as 0, since it only decides how long to wait. */
function nextRefresh(path: string, id: string, look: string | undefined) {
  const count = /^\d{1,2}$/.test(look ?? '') ? Number(look) : 0
  return {
    seconds: Math.min(FIRST_REFRESH_SECONDS * 1.5 ** count, MAX_REFRESH_SECONDS),
    url: `${path}?checkout=${id}&look=${Math.min(count + 1, MAX_REFRESHES)}`,
  }
}
