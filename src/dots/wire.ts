import { createHash } from 'node:crypto'
import { type Dispatcher, Pool } from 'undici'
import { AppError } from '../errors.ts'
import { refusalCode } from './messages.ts'
import { parseRetryAfter } from './retry-after.ts'
import { transportError } from './transport-error.ts'

const CONNECT_MS = 2_000
const FIRST_BYTE_MS = 5_000
/** Shorter than the idle timeouts of common balancers (60 s), so that we do not write into a closing connection. */
const KEEP_ALIVE_MS = 30_000

export interface WireOptions {
  apiUrl: string
  clientId: string
  apiKey: string
  appId: string | undefined
  maxInFlight: number
  now?: () => Date
  /** Time for a connection, its TLS included. */
  connectMs?: number
  /** Time from a request to the first byte of its answer, and between two parts of a body. */
  firstByteMs?: number
}

export interface WireRequest {
  method: 'GET' | 'POST'
  /** After the API's base, such as `/v2/checkout-sessions`. */
  path: string
  body?: string
  maxBytes: number
  signal: AbortSignal
}

export interface WireAnswer {
  json: unknown
  facts: AnswerFacts
}

/** One HTTP call to Dots over kept-alive connections: its answer as JSON, or a DotsError that says what went wrong. */
export class Wire {
  readonly #pool: Pool
  readonly #basePath: string
  readonly #headers: Record<string, string>
  readonly #now: () => Date

  constructor(options: WireOptions) {
    const url = new URL(options.apiUrl)
    const { connectMs = CONNECT_MS, firstByteMs = FIRST_BYTE_MS } = options
    this.#now = options.now ?? (() => new Date())
    this.#basePath = url.pathname.replace(/\/+$/, '')
    this.#pool = new Pool(url.origin, {
      connections: options.maxInFlight,
      pipelining: 1,
      connect: { timeout: connectMs },
      headersTimeout: firstByteMs,
      bodyTimeout: firstByteMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
    })
    const basic = Buffer.from(`${options.clientId}:${options.apiKey}`).toString('base64')
    this.#headers = {
      authorization: `Basic ${basic}`,
      accept: 'application/json',
      'user-agent': 'dots-buy-links',
      ...(options.appId !== undefined && { 'api-app-id': options.appId }),
    }
  }

  /** @throws DotsError for everything but a 2xx with JSON. */
  async send({ method, path, body, maxBytes, signal }: WireRequest): Promise<WireAnswer> {
    let answer: Dispatcher.ResponseData
    let bytes: Buffer | undefined
    try {
      answer = await this.#pool.request({
        method,
        path: this.#basePath + path,
        headers:
          body === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' },
        body: body ?? null,
        signal,
      })
      bytes = await readBody(answer.body, maxBytes)
    } catch (error) {
      throw transportError(error)
    }
    const { statusCode: dotsStatus } = answer
    const isSuccess = dotsStatus >= 200 && dotsStatus < 300
    if (bytes === undefined) {
      // A refusal is known by its status, however long the page that a proxy has put around it.
      if (!isSuccess) throw this.#refusal(answer, undefined)
      throw new AppError('dots-invalid-response', {
        details: { dotsStatus, tooLarge: `over ${maxBytes} bytes` },
      })
    }
    const facts: AnswerFacts = {
      dotsStatus,
      bytes: bytes.length,
      // Two lines with one hash are the same nonsense; the text itself may hold what a log must not.
      sha256: createHash('sha256').update(bytes).digest('hex').slice(0, 16),
    }
    const json = parseJson(answer.headers['content-type'], bytes)
    if (!isSuccess) throw this.#refusal(answer, json)
    if (json === undefined) throw new AppError('dots-invalid-response', { details: facts })
    return { json, facts }
  }

  /** Waits for calls in flight, then closes every connection. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  #refusal(answer: Dispatcher.ResponseData, json: unknown): AppError {
    const { statusCode: status, headers } = answer
    const details = { dotsStatus: status, dotsCode: refusalCode(json) }
    // "0 s" would be no wait at all, from a service that has just said that it cannot answer.
    const seconds = parseRetryAfter(single(headers['retry-after']), this.#now()) || undefined
    if (status === 401 || status === 403) return new AppError('dots-credentials-refused', { details })
    if (status === 409) return new AppError('dots-conflict', { details, retryAfterSeconds: seconds })
    if (status === 429 || status === 503) {
      const code = status === 429 ? 'dots-rate-limited' : 'dots-unavailable'
      return new AppError(code, { details, retryAfterSeconds: seconds, pauseSeconds: seconds })
    }
    if (status >= 500) return new AppError('dots-unavailable', { details, retryAfterSeconds: seconds })
    return new AppError(status === 404 ? 'dots-not-found' : 'dots-request-refused', { details })
  }
}

/** What is known of an answer, for the log: never its text. */
export interface AnswerFacts {
  [fact: string]: unknown
  dotsStatus: number
  bytes: number
  sha256: string
}

/** Undefined where the body is longer than it may be; the rest is then not read. */
async function readBody(
  body: Dispatcher.ResponseData['body'],
  maxBytes: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const part: Buffer = chunk
    size += part.length
    if (size > maxBytes) return undefined
    chunks.push(part)
  }
  return Buffer.concat(chunks)
}

function parseJson(contentType: string | string[] | undefined, bytes: Buffer): unknown {
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(single(contentType) ?? '')) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
