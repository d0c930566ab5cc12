import accepts from '@fastify/accepts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from './errors.ts'
import { problemPage } from './pages/problem-page.ts'

/** 500: a bug of ours. The page says nothing of it, the log has the stack. */
class UnexpectedError extends AppError {
  constructor(cause: unknown) {
    super(
      'unexpected',
      500,
      'Something went wrong on our side',
      'We have noted it. Please try again later.',
      {
        cause,
      },
    )
  }
}

class NotFoundError extends AppError {
  constructor() {
    super(
      'not-found',
      404,
      'There is nothing here',
      'The address may have been mistyped, or the page is gone.',
    )
  }
}

/** What the framework refuses by itself: our own code for it, and words that say what to do. */
const REFUSALS: Record<number, [code: string, title: string, message: string]> = {
  405: ['method-not-allowed', 'This cannot be done here', 'The address takes no request of this kind.'],
  413: [
    'too-large',
    'This is too large',
    'The request holds more than this address takes. Please send less.',
  ],
  414: [
    'address-too-long',
    'This link is too long',
    'The link is longer than any of ours. Please ask for a new one.',
  ],
  415: ['form-not-understood', 'This form is not understood', 'Please use the button on the page.'],
}
const DAMAGED: [string, string, string] = [
  'bad-request',
  'This link is damaged',
  'It cannot be read. Please use the original link.',
]

/** Every error becomes one answer and one log line; a stranger's bad request is never a 5xx. */
export const errorHandler = fp(
  async (app) => {
    await app.register(accepts)
    app.setErrorHandler((error, request, reply) => answer(asAppError(error), error, request, reply))
    app.setNotFoundHandler((request, reply) => {
      const error = new NotFoundError()
      return answer(error, error, request, reply)
    })

    function answer(problem: AppError, original: unknown, request: FastifyRequest, reply: FastifyReply) {
      request.failure = problem instanceof UnexpectedError ? original : problem
      if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', problem.retryAfterSeconds)
      reply.code(problem.status)
      // A client that takes anything (curl) gets the page, as a browser would.
      if (request.type(['html', 'json', 'application/problem+json']) !== 'html' && request.headers.accept) {
        return reply.type('application/problem+json').send(
          JSON.stringify({
            type: 'about:blank',
            title: problem.title,
            status: problem.status,
            detail: problem.message,
            code: problem.code,
            reference: request.id,
          }),
        )
      }
      return reply.type('text/html; charset=utf-8').send(
        problemPage(app.shop, {
          title: problem.title,
          message: problem.message,
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
  if (!(error instanceof Error) || !('statusCode' in error)) return new UnexpectedError(error)
  const { statusCode } = error
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499)
    return new UnexpectedError(error)
  const [code, title, message] = REFUSALS[statusCode] ?? DAMAGED
  const facts = 'code' in error && typeof error.code === 'string' ? { refusal: error.code } : {}
  return new AppError(code, statusCode, title, message, { facts })
}
