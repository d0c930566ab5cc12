import { randomBytes } from 'node:crypto'
import { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import fp from 'fastify-plugin'
import { type DestinationStream, pino, stdSerializers } from 'pino'
import pretty from 'pino-pretty'
import { AppError } from './errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's log line says beside method, route and status. Never a secret, an email or a query. */
    facts: Record<string, unknown>
    /** Why the request failed, for its log line. */
    failure: unknown
  }
}

/** Crockford's alphabet: no letter that is taken for another one when a buyer reads it over the phone. */
const REFERENCE_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** 12 signs of 5 bits: enough never to meet the same one twice in the life of a log. */
const REFERENCE_LENGTH = 12

/** A request's id, which is also the reference number on the buyer's page. Never taken from a header. */
export function newReference(): string {
  return Array.from(randomBytes(REFERENCE_LENGTH), (byte) => REFERENCE_ALPHABET[byte & 31]).join('')
}

/** JSON lines on stdout, pretty ones on a terminal. `destination` is for tests that read the log. */
export function makeLogger(level: string, destination?: DestinationStream): FastifyBaseLogger {
  const stream =
    destination ??
    (process.stdout.isTTY ? pretty({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }) : undefined)
  const options = { level, base: null, serializers: { err: stdSerializers.err } }
  return stream === undefined ? pino(options) : pino(options, stream)
}

/**
 * One line a request, when it is over. It names the route's pattern instead of the address, because anything may stand
 * in an address: emails, tokens, other people's queries.
 */
export class RequestLog extends LogController {
  override incomingRequest(): void {}

  override routeNotFound(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    logRequest(request, reply, error)
  }

  override defaultErrorLog(): void {}
}

function logRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  connectionError: Error | null | undefined,
): void {
  const line = {
    method: request.method,
    route: request.is404 ? null : (request.routeOptions.url ?? null),
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime),
    ...request.facts,
    ...(connectionError != null && { aborted: true }),
  }
  const { failure } = request
  if (failure instanceof AppError) {
    request.log[failure.logLevel]({ ...failure.details, ...line, code: failure.code }, 'request failed')
  } else if (failure instanceof Error) {
    request.log.error({ ...line, err: failure }, 'request failed')
  } else {
    request.log.info(line, 'request completed')
  }
}

/** Gives each request its place for facts. */
export const requestFacts = fp(
  async (app) => {
    // The hook below fills it before anybody reads it: a shared object would leak from one request into another.
    app.decorateRequest('facts')
    app.decorateRequest('failure', undefined)
    app.addHook('onRequest', async (request) => {
      request.facts = {}
    })
  },
  { name: 'request-facts' },
)
