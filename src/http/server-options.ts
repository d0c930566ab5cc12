import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  STATUS_CODES,
} from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyHttpOptions, FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'
import { newRequestId, RequestLog, requestLog } from './logging.ts'

/** The UCP permalink standard asks for at least 2,048 characters; no link that a mail tool makes is four times that. */
export const MAX_URL_LENGTH = 8_192
// Twice the longest URL, so that the cookies of other services on the same domain fit in as well.
const MAX_HEADER_SIZE = 16 * 1024
/** The forms on our pages have a few short fields. */
const MAX_BODY_SIZE = 16 * 1024
/** Headers come in one or two packets. */
const HEADERS_TIMEOUT_MS = 10_000
/** How often Node looks for senders that exceed the two timeouts around this one. */
const TIMEOUT_CHECK_INTERVAL_MS = 2_000
/** A request of a few hundred bytes that takes longer to arrive does not come from a buyer on a slow line. */
const REQUEST_TIMEOUT_MS = 15_000
/** Without a byte in either direction for longer than any response takes, the client is gone. */
const SOCKET_IDLE_TIMEOUT_MS = 30_000
/** Longer than proxies keep an idle connection (Caddy 120 s), so that it is always the proxy that closes it. */
const KEEP_ALIVE_MS = 130_000

/** What {@link normalizeUrl} makes of a URL whose path cannot be decoded. There is no route for it. */
const MALFORMED_URL = '/malformed-url'
/** A buy link whose `?` was escaped or replaced, from that place to the end of its path. */
const ESCAPED_QUERY = /^(\/buy\/[^/?]*?(?:&|%3F|%26))([^?]*[^/?])/i
/** Most requests: nothing in them can be escaped, doubled or taken for a query. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9._~:,-]+)+$/
/** Scheme and host before the path, as clients send them to a proxy (RFC 9112, 3.2.2). */
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i

/** The statuses of errors of Node's HTTP parser that are not a plain 400. */
const PARSER_STATUSES: Record<string, number> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }
/** The headers of those responses. They must not be cached or indexed either. */
const PARSER_HEADERS = [
  'cache-control: no-store',
  'referrer-policy: no-referrer',
  'x-robots-tag: noindex',
  'x-content-type-options: nosniff',
  'content-length: 0',
  'connection: close',
]

interface ServerOptions {
  log: FastifyBaseLogger
  /** Whether `X-Forwarded-*` of a peer with this IP address is trusted. */
  trustsProxy: (ip: string) => boolean
}

/** Fastify's options: the log, and the limits of what it accepts before any of our own code runs. */
export function serverOptions({ log, trustsProxy }: ServerOptions) {
  return {
    loggerInstance: log,
    logController: new RequestLog({ requestIdLogLabel: 'requestId' }),
    genReqId: newRequestId,
    childLoggerFactory: requestLog,
    trustProxy: trustsProxy,
    rewriteUrl: normalizeUrl,
    // At each start Ajv would compile JSON Schema's meta-schema to check our few schemas: a third of the start's CPU time.
    ajv: { customOptions: { meta: false, validateSchema: false } },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_HEADER_SIZE },
    exposeHeadRoutes: true,
    clientErrorHandler: handleClientError,
    // With a server of our own, Fastify makes no second one for `localhost`: see `listeners`.
    serverFactory: httpServer,
    bodyLimit: MAX_BODY_SIZE,
    return503OnClosing: false,
  } satisfies FastifyHttpOptions<Server, FastifyBaseLogger>
}

function httpServer(handler: RequestListener): Server {
  const options = {
    maxHeaderSize: MAX_HEADER_SIZE,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  }
  return createServer(options, handler).setTimeout(SOCKET_IDLE_TIMEOUT_MS)
}

/**
 * Refuses URLs that are too long or malformed, and methods that a path does not take, like any other error. Hands a form's
 * text on as it came.
 */
export const requestChecks = fp(async (app) => {
  // An unknown `Expect` header is ignored, as RFC 9110 (10.1.1) allows: Node's own 417 would come without our headers.
  app.server.on('checkExpectation', (request, response) => void app.server.emit('request', request, response))
  app.addHook('onRequest', ({ url, is404 }, reply, done) => {
    if (url.length > MAX_URL_LENGTH) return done(new AppError('url-too-long'))
    if (url === MALFORMED_URL) return done(new AppError('malformed-url'))
    // Here and not in the not-found handler, which runs after the body is read: that may fail with another error.
    const methods = is404 ? app.allowedMethods(url) : []
    if (methods.length === 0) return done()
    reply.header('allow', methods.join(', '))
    done(new AppError('method-not-allowed'))
  })
  // `links` reads queries and forms by one set of rules, which need to see what was given twice.
  const form = 'application/x-www-form-urlencoded'
  app.addContentTypeParser(form, { parseAs: 'string' }, async (_request: unknown, text: string) => text)
})

/** Keeps the slashes of `buyer/email` in the one segment that the link is read from. */
function escapeSlashes(_link: string, start: string, query: string): string {
  return start + query.replaceAll('/', '%2F')
}

/** Slashes in a row in the path count as one: who joins a shop's URL and a path makes them. */
function withoutDoubleSlashes(url: string): string {
  if (!url.includes('//')) return url
  const [path = '', ...query] = url.split('?')
  return [path.replace(/\/{2,}/g, '/'), ...query].join('?')
}

/**
 * The path and query of a request. A broken percent-encoding would be answered by the router itself, without our
 * limits, headers and log, so it becomes a URL that {@link requestChecks} refuses. Of an absolute URL only the path is
 * kept: anybody can write any host there, and it must not appear in a link on a page.
 */
function normalizeUrl(request: Pick<IncomingMessage, 'url'>): string {
  if (request.url !== undefined && PLAIN_PATH.test(request.url)) return request.url
  const path = (request.url ?? '/').replace(ABSOLUTE_FORM, '')
  // The router itself would refuse what does not begin with a slash, such as `GET *?a=1`.
  const rooted = withoutDoubleSlashes(path.startsWith('/') ? path : `/${path}`)
  const url = rooted.replace(ESCAPED_QUERY, escapeSlashes)
  try {
    decodeURIComponent(url.split('?', 1)[0] ?? '')
    return url
  } catch {
    return MALFORMED_URL
  }
}

/**
 * Answers what Node's HTTP parser rejects, and closes the connection. At most the parser's code is logged: the error
 * itself holds everything that was sent, which may contain an email.
 */
function handleClientError(this: FastifyInstance, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const status = PARSER_STATUSES[error.code ?? ''] ?? 400
  this.log.debug({ event: 'request.malformed', code: error.code, status }, 'malformed HTTP request')
  if (socket.writable) {
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${PARSER_HEADERS.join('\r\n')}\r\n\r\n`)
  }
  socket.destroy()
}
