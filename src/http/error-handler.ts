import accepts from '@fastify/accepts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Shop } from '../config.ts'
import { AppError, type ErrorCode } from '../errors.ts'
import { problemPage } from '../pages/problem.ts'
import { errorText } from '../pages/text.ts'
import { MAX_URL_LENGTH } from './server-options.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A buy link: its error pages say that nothing was charged, and offer to try again. */
    buy?: boolean
  }
}

/** The errors that Fastify itself raises, by their status; the others are a plain `bad-request`. */
const FRAMEWORK_ERRORS: Record<number, ErrorCode> = {
  405: 'method-not-allowed',
  413: 'body-too-large',
  414: 'url-too-long',
  415: 'unsupported-form',
}

/** Every error becomes one response and one log line. Whatever is wrong with a request, the status is below 500. */
export const errorHandler = fp<{ shop: Shop }>(
  async (app, { shop }) => {
    await app.register(accepts)
    app.setErrorHandler((error, request, reply) => respond(asAppError(error), error, request, reply))
    app.setNotFoundHandler((request, reply) => {
      const error = new AppError('not-found')
      return respond(error, error, request, reply)
    })

    function respond(problem: AppError, original: unknown, request: FastifyRequest, reply: FastifyReply) {
      const { code, status, params, retryAfterSeconds } = problem
      request.failure = code === 'unexpected' ? original : problem
      if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
      reply.code(status)
      const { title, message } = errorText(code, params)
      // A client that accepts anything (curl) or names nothing gets the page, as a browser does.
      if (request.headers.accept && request.type(['html', 'json', 'application/problem+json']) !== 'html') {
        const body = { type: 'about:blank', title, status, detail: message, code, reference: request.id }
        return reply.type('application/problem+json').send(JSON.stringify(body))
      }
      const failedSale = status >= 500 && request.routeOptions.config.buy === true
      return reply.type('text/html; charset=utf-8').send(
        problemPage(shop, {
          title,
          message,
          status,
          requestId: request.id,
          retryAfterSeconds,
          notCharged: failedSale,
          tryAgainUrl: failedSale ? tryAgainUrl(request) : undefined,
        }),
      )
    }
  },
  { name: 'error-handler' },
)

/** The link to the same purchase, where it is short enough for a URL. */
function tryAgainUrl({ body, url }: FastifyRequest): string | undefined {
  // The link is what the form's fields and the query say together: quantity, signature and all.
  const fields = typeof body === 'string' ? body : ''
  const link = fields === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${fields}`
  return link.length <= MAX_URL_LENGTH ? link : undefined
}

function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : undefined
  if (status === undefined || !(status >= 400 && status <= 499)) {
    return new AppError('unexpected', { cause: error })
  }
  const details = error instanceof Error && 'code' in error ? { frameworkCode: error.code } : {}
  return new AppError(FRAMEWORK_ERRORS[status] ?? 'bad-request', { details })
}
