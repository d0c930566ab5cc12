import accepts from '@fastify/accepts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError, type ErrorCode } from './errors.ts'
import { problemPage } from './pages/problem-page.ts'
import { errorText } from './pages/text/en.ts'

/** What the framework refuses by itself, by its status. */
const FRAMEWORK_ERRORS: Record<number, ErrorCode> = {
  405: 'method-not-allowed',
  413: 'body-too-large',
  414: 'url-too-long',
  415: 'unsupported-form',
}

/** Every error becomes one answer and one log line; a stranger's bad request is never a 5xx. */
export const errorHandler = fp(
  async (app) => {
    await app.register(accepts)
    app.setErrorHandler((error, request, reply) => answer(asAppError(error), error, request, reply))
    app.setNotFoundHandler((request, reply) => {
      const error = new AppError('not-found')
      return answer(error, error, request, reply)
    })

    function answer(problem: AppError, original: unknown, request: FastifyRequest, reply: FastifyReply) {
      request.failure = problem.code === 'unexpected' ? original : problem
      if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', problem.retryAfterSeconds)
      reply.code(problem.status)
      const { title, message } = errorText(problem.code, problem.params)
      // A client that takes anything (curl) gets the page, as a browser would.
      if (request.type(['html', 'json', 'application/problem+json']) !== 'html' && request.headers.accept) {
        return reply.type('application/problem+json').send(
          JSON.stringify({
            type: 'about:blank',
            title,
            status: problem.status,
            detail: message,
            code: problem.code,
            reference: request.id,
          }),
        )
      }
      return reply.type('text/html; charset=utf-8').send(
        problemPage(app.shop, {
          title,
          message,
          status: problem.status,
          reference: request.id,
          ...(problem.retryAfterSeconds !== undefined && { retryAfterSeconds: problem.retryAfterSeconds }),
          ...buyFacts(problem, request),
        }),
      )
    }
  },
  { name: 'error-handler' },
)

/** Longer addresses are refused by the shop itself. */
const LONGEST_TRY_AGAIN = 8_192

/** On a buy link that failed for no fault of the buyer: that nothing was charged, and the way to try again. */
function buyFacts(problem: AppError, request: FastifyRequest) {
  if (problem.status < 500 || !request.routeOptions.url?.startsWith('/buy/')) return {}
  // Fields of a form and a query count as one set: together they are the link to the very same purchase, its quantity,
  // its signature and all. Without them the buyer would be led to another one.
  const fields = typeof request.body === 'string' ? request.body : ''
  const tryAgainUrl =
    fields === '' ? request.url : `${request.url}${request.url.includes('?') ? '&' : '?'}${fields}`
  return { notCharged: true, ...(tryAgainUrl.length <= LONGEST_TRY_AGAIN && { tryAgainUrl }) }
}

function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (!(error instanceof Error) || !('statusCode' in error))
    return new AppError('unexpected', { cause: error })
  const { statusCode } = error
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499)
    return new AppError('unexpected', { cause: error })
  const details = 'code' in error && typeof error.code === 'string' ? { refusal: error.code } : {}
  return new AppError(FRAMEWORK_ERRORS[statusCode] ?? 'bad-request', { details })
}
