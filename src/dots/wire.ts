import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { faultOf, type OutgoingProxy, outgoingDispatcher } from '../dispatcher.ts'
import { AppError, type ErrorCode } from '../errors.ts'
import type { Call } from './call.ts'
import { errorCode } from './messages.ts'

const CONNECT_MS = 2_000
const FIRST_BYTE_MS = 5_000
/** Shorter than the idle timeout of common load balancers (60 s): a request on a connection that they close fails. */
const KEEP_ALIVE_MS = 30_000
/** Upper bound of a pause that Dots can ask for. */
const MAX_RETRY_AFTER_SECONDS = 120

/** A response; of a body that is longer than allowed only the beginning. */
interface RawResponse {
  statusCode: number
  headers: IncomingHttpHeaders
  bytes: Buffer
  isWhole: boolean
}

export interface WireOptions {
  /** Base of the API, such as `https://api.dots.dev/api`. */
  apiUrl: string
  clientId: string
  apiKey: string
  appId?: string
  /** Connections at one time. */
  maxInFlight: number
  now?: () => Date
  /** Time for a connection, TLS included. */
  connectMs?: number
  /** Time from the request to the first byte of the response, and between two parts of the body. */
  firstByteMs?: number
  proxy?: OutgoingProxy
  /** Takes the requests instead of connections of our own. Closed with the client. */
  dispatcher?: Dispatcher
}

export interface WireRequest {
  /** After the API's base, such as `/v2/checkout-sessions`. */
  path: string
  /** JSON; the request is a POST where there is one, and otherwise a GET. */
  body?: string
  /** It names a session, which Dots may not know; every other URL exists, unless the base of the API is wrong. */
  namesSession: boolean
  /** Longest response body that is read. */
  maxBytes: number
}

/** A response with a 2xx status and a JSON body. */
export interface WireResponse {
  json: unknown
  status: number
  bytes: Buffer
}

/** Makes HTTP calls to Dots over kept-alive connections. */
export function apiWire(options: WireOptions) {
  const { appId, connectMs = CONNECT_MS, firstByteMs = FIRST_BYTE_MS, now = () => new Date() } = options
  const { origin, pathname } = new URL(options.apiUrl)
  const basePath = pathname.replace(/\/+$/, '')
  const dispatcher =
    options.dispatcher ??
    outgoingDispatcher(origin, options.proxy, {
      connections: options.maxInFlight,
      connectTimeout: connectMs,
      headersTimeout: firstByteMs,
      bodyTimeout: firstByteMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
    })
  const getHeaders = {
    authorization: `Basic ${Buffer.from(`${options.clientId}:${options.apiKey}`).toString('base64')}`,
    accept: 'application/json',
    'user-agent': 'dots-buy-links',
    'api-app-id': appId,
  }
  const postHeaders = { ...getHeaders, 'content-type': 'application/json' }

  return {
    /** @throws AppError `dots-…` for everything but a 2xx status with JSON. */
    send(request: WireRequest, call: Call): Promise<WireResponse> {
      const { path, body, maxBytes } = request
      const options: Dispatcher.DispatchOptions = {
        origin,
        method: body === undefined ? 'GET' : 'POST',
        path: basePath + path,
        headers: body === undefined ? getHeaders : postHeaders,
        body,
      }
      const { promise, resolve, reject } = Promise.withResolvers<WireResponse>()
      const take = (response: RawResponse) => {
        try {
          resolve(read(request, response, now))
        } catch (error) {
          reject(error)
        }
      }
      receive(dispatcher, options, { call, maxBytes, take, fail: (error) => reject(transportError(error)) })
      return promise
    },

    /** Waits for calls in flight, then closes every connection. */
    close: () => dispatcher.close(),
  }
}

/** @throws AppError `dots-…` for everything but a 2xx status with JSON. */
function read(request: WireRequest, response: RawResponse, now: () => Date): WireResponse {
  const { statusCode: status, headers, bytes, isWhole } = response
  const json = isWhole ? parseJson(header(headers, 'content-type'), bytes) : undefined
  // The status decides, even where a proxy has wrapped the error in a page that is too long to read.
  if (status < 200 || status > 299) throw statusError(request, response, json, now())
  if (!isWhole) throw invalidResponse({ status, bytes }, { tooLarge: `over ${request.maxBytes} bytes` })
  if (json === undefined) throw invalidResponse({ status, bytes })
  return { json, status, bytes }
}

/** The setting to look at, by the code of a refusal. */
const SETTINGS_TO_CHECK: Partial<Record<ErrorCode, string>> = {
  'dots-credentials-refused': 'DOTS_CLIENT_ID and DOTS_API_KEY',
  'dots-wrong-address': 'DOTS_API_URL',
}

function statusError(request: WireRequest, response: RawResponse, json: unknown, now: Date): AppError {
  const { statusCode: status, headers } = response
  const code = codeOfStatus(status, request, json !== undefined)
  const isTransient = status === 409 || status === 429 || status >= 500
  // A `Retry-After` of 0 is treated as none: to retry at once would not help.
  const retryAfterSeconds = (isTransient && parseRetryAfter(header(headers, 'retry-after'), now)) || undefined
  return new AppError(code, {
    details: { dotsStatus: status, dotsCode: errorCode(json), check: SETTINGS_TO_CHECK[code] },
    retryAfterSeconds,
    pauseSeconds: status === 429 || status === 503 ? retryAfterSeconds : undefined,
  })
}

function codeOfStatus(status: number, { namesSession }: WireRequest, isJson: boolean): ErrorCode {
  // Dots answers with JSON; a page comes from a firewall in front of it, which does not look at credentials.
  if (status === 403 && !isJson) return 'dots-blocked'
  if (status === 401 || status === 403) return 'dots-credentials-refused'
  if ((status === 404 || status === 405) && !namesSession) return 'dots-wrong-address'
  if (status === 404) return 'dots-not-found'
  if (status === 409) return 'dots-conflict'
  if (status === 429) return 'dots-rate-limited'
  return status >= 500 ? 'dots-unavailable' : 'dots-request-refused'
}

/** The error for a 2xx response without what it should hold. Its details are for the log and never quote the body. */
export function invalidResponse({ status, bytes }: Omit<WireResponse, 'json'>, more = {}): AppError {
  // The hash shows whether two log lines are about the same body, which may hold what must not be logged.
  const sha256 = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const details = { dotsStatus: status, bytes: bytes.length, sha256, ...more }
  return new AppError('dots-invalid-response', { details })
}

/**
 * Reads a `Retry-After` header (RFC 9110, 10.2.3: seconds, or a date). Whole seconds from `now`, at most two minutes;
 * undefined for anything else and for dates in the past.
 */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  const text = value?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text), MAX_RETRY_AFTER_SECONDS)
  // Only the date forms of RFC 9110 begin with a day's name; Date.parse alone would also read "3" or "-1" as dates.
  if (!/^(?:mon|tue|wed|thu|fri|sat|sun)/i.test(text)) return undefined
  const seconds = Math.ceil((Date.parse(text) - now.getTime()) / 1000)
  return seconds > 0 ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) : undefined
}

interface Receiver {
  call: Call
  /** Of a longer body only the beginning is read. */
  maxBytes: number
  /** One of the two is called first; what comes after it does not count. */
  take: (response: RawResponse) => void
  fail: (cause: unknown) => void
}

/**
 * Sends a request and receives its response, without the stream and the promises of undici's `request`. Fails at once when
 * `call` is aborted.
 */
function receive(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  { call, maxBytes, take, fail }: Receiver,
): void {
  if (call.reason !== undefined) {
    fail(call.reason)
    return
  }
  let request: Dispatcher.DispatchController | undefined
  let statusCode = 0
  let headers: IncomingHttpHeaders = {}
  const chunks: Buffer[] = []
  let size = 0
  call.onAbort = (reason) => {
    fail(reason)
    request?.abort(reason)
  }
  const end = (isWhole: boolean) => {
    call.onAbort = undefined
    const [first, ...more] = chunks
    const bytes = first !== undefined && more.length === 0 ? first : Buffer.concat(chunks)
    take({ statusCode, headers, bytes, isWhole })
  }
  dispatcher.dispatch(options, {
    onRequestStart(controller) {
      request = controller
      // It was aborted while it waited for a connection.
      if (call.reason !== undefined) controller.abort(call.reason)
    },
    onResponseStart(_controller, status, given) {
      // Only the last one counts: a 1xx may come before.
      statusCode = status
      headers = given
    },
    onResponseData(controller, chunk) {
      size += chunk.length
      chunks.push(chunk)
      if (size <= maxBytes) return
      end(false)
      controller.abort(new Error('the response is too long'))
    },
    onResponseEnd: () => end(true),
    onResponseError(_controller, error) {
      call.onAbort = undefined
      fail(error)
    },
  })
}

function parseJson(contentType: string | undefined, bytes: Buffer): unknown {
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(contentType ?? '')) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function header(headers: RawResponse['headers'], name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** What a call without a whole response means, by the code of Node, OpenSSL or undici. */
const TRANSPORT_ERRORS: readonly (readonly [RegExp, ErrorCode])[] = [
  // These come before the first byte of a request has left.
  [/^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EAI_FAIL|EHOSTUNREACH)$/, 'dots-unreachable'],
  [/^(?:ENETUNREACH|EADDRNOTAVAIL|EMFILE|UND_ERR_CONNECT_TIMEOUT)$/, 'dots-unreachable'],
  // A proxy that is away or refuses to connect. Calls that we abort ourselves have other names: AbortError, TimeoutError.
  [/^(?:UND_ERR_PRX_CONN|UND_ERR_ABORTED)$/, 'dots-unreachable'],
  // Also a server that does not speak TLS.
  [/^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|CERT_|SELF_SIGNED_)/, 'dots-certificate-rejected'],
  [/^(?:DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_|UND_ERR_PRX_TLS$)/, 'dots-certificate-rejected'],
  [/^(?:UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT|TimeoutError)$/, 'dots-timeout'],
  [/^(?:HPE_|HTTPParserError$)/, 'dots-invalid-response'],
]

function transportError(cause: unknown): AppError {
  const fault = faultOf(cause)
  const [, code = 'dots-connection-lost'] = TRANSPORT_ERRORS.find(([pattern]) => pattern.test(fault)) ?? []
  return new AppError(code, { cause, details: { fault } })
}
