import { randomBytes } from 'node:crypto'
import { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import fp from 'fastify-plugin'
import { pino, stdSerializers } from 'pino'
import type { AppError } from '../errors.ts'
import { type LogOutput, stdoutLog } from './log-output.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** More fields of the request's log line. Never a secret, an email or a query. */
    logFields: Record<string, unknown>
    /** Why the request failed, for its log line. */
    failure: AppError | undefined
  }
}

/** Crockford's base 32: no letter that is mistaken for another one when a buyer reads it out on the phone. */
const REQUEST_ID_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** 12 characters of 5 bits: two requests in the same log do not get the same id. */
const REQUEST_ID_LENGTH = 12

/** A request's id, which an error page shows as its reference. Never taken from a header. */
export function newRequestId(): string {
  return Array.from(randomBytes(REQUEST_ID_LENGTH), (byte) => REQUEST_ID_ALPHABET[byte & 31]).join('')
}

/** The log of the process. Its `level` may be changed later. */
export async function makeLogger(level: string, output?: LogOutput): Promise<FastifyBaseLogger> {
  const options = {
    level,
    base: null,
    serializers: { err: stdSerializers.err },
    formatters: {
      // The lines that Fastify writes itself have no event, "Server listening at …" for example.
      log: (fields: Record<string, unknown>) => ({ event: 'fastify.message', ...fields }),
    },
  }
  const log: FastifyBaseLogger = pino(options, output ?? (await stdoutLog()))
  return log
}

/**
 * Logs one line for each request, when it is over. The line has the route's pattern instead of the URL, which may hold
 * anything, such as emails or tokens. Fastify's own lines, some of which have the URL, are left out or replaced.
 */
export class RequestLog extends LogController {
  override incomingRequest(): void {}

  override routeNotFound(): void {}

  override defaultErrorLog(): void {}

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply) {
    const { failure } = request
    const fields = {
      ...failure?.details,
      method: request.method,
      route: request.is404 ? null : (request.routeOptions.url ?? null),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      ...request.logFields,
      aborted: error ? true : undefined,
      code: failure?.code,
      // A bug of ours: its stack is needed.
      err: failure?.code === 'unexpected' ? failure.cause : undefined,
    }
    if (failure === undefined)
      request.log.info({ event: 'request.completed', ...fields }, 'request completed')
    else request.log[failure.logLevel]({ event: 'request.failed', ...fields }, 'request failed')
  }

  override streamError(err: Error, request: FastifyRequest): void {
    request.log.error({ event: 'response.failed', err }, 'response could not be sent')
  }

  override writeHeadError(err: Error, request: FastifyRequest): void {
    this.streamError(err, request)
  }

  override serializerError(err: Error, request: FastifyRequest): void {
    this.streamError(err, request)
  }
}

/** Gives each request its own `logFields`. */
export const requestLogging = fp(async (app) => {
  app.decorateRequest('logFields')
  app.decorateRequest('failure', undefined)
  // A value given to decorateRequest would be one object for all requests.
  app.addHook('onRequest', async (request) => {
    request.logFields = {}
  })
})
