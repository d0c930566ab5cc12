import { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import fp from 'fastify-plugin'
import { type Level, type Logger, pino, stdSerializers } from 'pino'
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

/** A request's id, which an error page shows as its reference. Never taken from a header. It is no secret. */
export function newRequestId(): string {
  let id = ''
  for (let n = 0; n < REQUEST_ID_LENGTH; n += 1) id += REQUEST_ID_ALPHABET[Math.floor(Math.random() * 32)]
  return id
}

/** The log of the process. Its `level` may be changed later. */
export async function makeLogger(level: string, output?: LogOutput): Promise<ServerLog> {
  const options = { level, base: null, serializers: { err: stdSerializers.err } }
  return new ServerLog(pino(options, output ?? (await stdoutLog())))
}

type Fields = object | string

/**
 * The logger that Fastify is given, and one for each request, with its id: it costs less than a child of pino's, which most
 * requests would make for one line. Lines that Fastify writes itself have no event: "Server listening at …" for example.
 */
class ServerLog implements FastifyBaseLogger {
  readonly #pino: Logger
  readonly #requestId: string | undefined
  readonly silent = () => {}
  declare msgPrefix: string

  constructor(target: Logger, requestId?: string) {
    this.#pino = target
    this.#requestId = requestId
  }
  get level(): string {
    return this.#pino.level
  }
  set level(level: string) {
    this.#pino.level = level
  }
  trace(fields: Fields, message?: string): void {
    this.#write('trace', fields, message)
  }
  debug(fields: Fields, message?: string): void {
    this.#write('debug', fields, message)
  }
  info(fields: Fields, message?: string): void {
    this.#write('info', fields, message)
  }
  warn(fields: Fields, message?: string): void {
    this.#write('warn', fields, message)
  }
  error(fields: Fields, message?: string): void {
    this.#write('error', fields, message)
  }
  fatal(fields: Fields, message?: string): void {
    this.#write('fatal', fields, message)
  }
  child(): ServerLog {
    return this
  }
  /** The log of one request. */
  ofRequest(requestId: string): ServerLog {
    return new ServerLog(this.#pino, requestId)
  }

  #write(level: Level, fields: Fields, message: string | undefined): void {
    if (!this.#pino.isLevelEnabled(level)) return
    const requestId = this.#requestId
    // The line of the request: a copy of it would cost as much as the rest.
    if (typeof fields === 'object' && 'requestId' in fields) this.#pino[level](fields, message)
    else if (typeof fields === 'string') this.#pino[level]({ requestId, event: 'fastify.message' }, fields)
    else if ('event' in fields) this.#pino[level]({ requestId, ...fields }, message)
    else this.#pino[level]({ requestId, event: 'fastify.message', ...fields }, message)
  }
}

/** For Fastify: the log of a request instead of a child of pino's. */
export function requestLog(log: FastifyBaseLogger, { requestId }: { requestId?: string }): FastifyBaseLogger {
  return log instanceof ServerLog && requestId !== undefined ? log.ofRequest(requestId) : log
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
      requestId: request.id,
      event: 'request.completed',
      method: request.method,
      route: request.is404 ? null : (request.routeOptions.url ?? null),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      ...request.logFields,
      aborted: error ? true : undefined,
    }
    const line: [fields: object, message: string] =
      failure === undefined ? [fields, 'request completed'] : failedLine(fields, failure)
    request.log[failure?.logLevel ?? 'info'](...line)
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

function failedLine(fields: object, { details, code, cause }: AppError): [fields: object, message: string] {
  // A bug of ours: its stack is needed.
  const err = code === 'unexpected' ? cause : undefined
  return [{ ...details, ...fields, event: 'request.failed', code, err }, 'request failed']
}

/** Gives each request its own `logFields`. */
export const requestLogging = fp(async (app) => {
  app.decorateRequest('logFields')
  app.decorateRequest('failure', undefined)
  // A value given to decorateRequest would be one object for all requests.
  app.addHook('onRequest', (request, _reply, done) => {
    request.logFields = {}
    done()
  })
})
