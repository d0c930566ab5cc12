import accepts from '@fastify/accepts'
import type { FastifyError, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Shop } from '../config.ts'
import { AppError, type ErrorCode } from '../errors.ts'
import { bestLocale } from '../pages/money.ts'
import { type NextSteps, problemPage } from '../pages/problem.ts'
import { errorText } from '../pages/text.ts'
import { MAX_URL_LENGTH } from './server-options.ts'

interface AnyRoute {
  Params: Record<string, string | undefined>
}
type AnyRequest = FastifyRequest<AnyRoute>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A buy link: its error pages say that nothing was charged, and offer to try again. */
    buy?: boolean
    /** What the error page of this route offers the buyer to do next. */
    nextSteps?: (request: AnyRequest, failure: AppError) => Promise<NextSteps | undefined>
  }
}

/** The errors that Fastify itself raises, by their status; the others are a plain `bad-request`. */
const FRAMEWORK_ERRORS: Record<number, ErrorCode> = {
  405: 'method-not-allowed',
  413: 'body-too-large',
  414: 'url-too-long',
  415: 'unsupported-form',
}

/** Every error becomes one response and one log line. A mistake in the request never gets a status of 500 or above. */
export const errorHandler = fp<{ shop: Shop }>(async (app, { shop }) => {
  await app.register(accepts)
  app.setNotFoundHandler(async () => {
    throw new AppError('not-found')
  })
  app.setErrorHandler<FastifyError, AnyRoute>(async (error, request, reply) => {
    const failure = asAppError(error)
    const { code, status, params, retryAfterSeconds } = failure
    request.failure = failure
    reply.code(status)
    if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
    const { title, message } = errorText(code, params)
    // A client that accepts anything (curl), or has no `Accept` header, gets the page like a browser.
    if (request.headers.accept && request.type(['html', 'json', 'application/problem+json']) !== 'html') {
      const body = { type: 'about:blank', title, status, detail: message, code, reference: request.id }
      return reply.type('application/problem+json').send(JSON.stringify(body))
    }
    const isBuy = request.routeOptions.config.buy === true
    const isRefused = code === 'too-many-attempts'
    const notCharged = status >= 500 && isBuy
    const page = problemPage(shop, {
      title,
      message,
      status,
      requestId: request.id,
      retryAfterSeconds,
      notCharged,
      tryAgainUrl: notCharged || isRefused ? tryAgainUrl(request) : undefined,
      tryAgainWaits: isRefused,
      nextSteps: await stepsFrom(request, failure),
      locale: bestLocale(request.languages()),
    })
    return reply.type('text/html; charset=utf-8').send(page)
  })
})

/** An error page without next steps is better than none. */
async function stepsFrom(request: AnyRequest, failure: AppError): Promise<NextSteps | undefined> {
  try {
    return await request.routeOptions.config.nextSteps?.(request, failure)
  } catch (err) {
    request.log.error(
      { event: 'page.next-steps.failed', err },
      'could not add the next steps to an error page',
    )
    return undefined
  }
}

/** The link to the same page or purchase, where there is one that is short enough for a URL. */
function tryAgainUrl({ body, url, is404, method, routeOptions }: AnyRequest): string | undefined {
  if (is404 || (method === 'POST' && routeOptions.config.buy !== true)) return undefined
  // The link is what the form's fields and the query say together: quantity, signature and all.
  const fields = typeof body === 'string' ? body : ''
  const link = fields === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${fields}`
  return link.length <= MAX_URL_LENGTH ? link : undefined
}

function asAppError(error: AppError | FastifyError): AppError {
  if (error instanceof AppError) return error
  const { statusCode = 500, code } = error
  if (statusCode < 400 || statusCode > 499) return new AppError('unexpected', { cause: error })
  return new AppError(FRAMEWORK_ERRORS[statusCode] ?? 'bad-request', { details: { frameworkCode: code } })
}
