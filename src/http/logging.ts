import { randomBytes } from 'node:crypto'
import { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import fp from 'fastify-plugin'
import { type DestinationStream, pino, stdSerializers } from 'pino'
import { AppError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** More fields of the request's log line. Never a secret, an email or a query. */
    logFields: Record<string, unknown>
    /** Why the request failed, for its log line. */
    failure: unknown
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

/**
 * The log of the process: JSON lines on stdout, readable ones on a terminal. Its `level` may be changed later.
 * `destination` is for tests that read the log.
 */
export async function makeLogger(level: string, destination?: DestinationStream): Promise<FastifyBaseLogger> {
  const options = { level, base: null, serializers: { err: stdSerializers.err } }
  const stream = destination ?? (process.stdout.isTTY ? await prettyStream() : undefined)
  const log: FastifyBaseLogger = stream === undefined ? pino(options) : pino(options, stream)
  return log
}

async function prettyStream(): Promise<DestinationStream> {
  // It takes 20 ms to load, which a start without a terminal can save.
  const { default: pretty } = await import('pino-pretty')
  return pretty({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss' })
}

/**
 * Logs one line for each request, when it is over. The line has the route's pattern instead of the URL, which may hold
 * anything: emails, tokens, queries of others. Fastify's own lines, some of which have the URL, are left out or replaced.
 */
export class RequestLog extends LogController {
  override incomingRequest(): void {}

  override routeNotFound(): void {}

  override defaultErrorLog(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    logRequest(request, reply, error != null)
  }

  override streamError(err: Error, request: FastifyRequest): void {
    logBrokenResponse(err, request)
  }

  override writeHeadError(err: Error, request: FastifyRequest): void {
    logBrokenResponse(err, request)
  }

  override serializerError(err: Error, request: FastifyRequest): void {
    logBrokenResponse(err, request)
  }
}

function logRequest(request: FastifyRequest, reply: FastifyReply, aborted: boolean): void {
  const { failure } = request
  const line = {
    method: request.method,
    route: request.is404 ? null : (request.routeOptions.url ?? null),
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime),
    ...request.logFields,
    ...(aborted && { aborted }),
  }
  if (failure instanceof AppError) {
    const { details, code } = failure
    request.log[failure.logLevel]({ event: 'request.failed', ...details, ...line, code }, 'request failed')
  } else if (failure instanceof Error) {
    request.log.error({ event: 'request.failed', ...line, err: failure }, 'request failed')
  } else {
    request.log.info({ event: 'request.completed', ...line }, 'request completed')
  }
}

function logBrokenResponse(err: Error, request: FastifyRequest): void {
  request.log.error({ event: 'response.failed', err }, 'response could not be sent')
}

/** Gives each request its own `logFields`. */
export const requestLogging = fp(
  async (app) => {
    app.decorateRequest('logFields')
    app.decorateRequest('failure', undefined)
    // A value given to decorateRequest would be one object for all requests.
    app.addHook('onRequest', async (request) => {
      request.logFields = {}
    })
  },
  { name: 'request-logging' },
)
