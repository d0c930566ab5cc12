import { createHash } from 'node:crypto'
import { type Dispatcher, Pool } from 'undici'
import { checkCheckoutUrl } from './checkout-url.ts'
import {
  DotsCredentialsError,
  type DotsError,
  DotsNonsenseError,
  DotsRequestError,
  DotsUnavailableError,
  DotsUnsafeUrlError,
} from './errors.ts'
import { type CreateSession, parseSession, parseSessionPage, refusalCode, type Session } from './messages.ts'
import { parseRetryAfter } from './retry-after.ts'
import { transportError } from './transport-error.ts'

// Buyers give up at ten seconds: 8 s bound connect, answer and all that lies between, and leave time for the page.
const CONNECT_MS = 2_000
const FIRST_BYTE_MS = 5_000
export const CLICK_DEADLINE_MS = 8_000
/** The return page shows "we are confirming" rather than letting the buyer look at nothing. */
export const RETURN_DEADLINE_MS = 3_000
/** A session is one or two kilobytes; a page of a hundred of them gets a cap of its own. */
const SESSION_BYTES = 64 * 1024
const LIST_BYTES = 4 * 1024 * 1024
/** Shorter than the idle timeouts of common balancers (60 s), so that we do not write into a closing connection. */
const KEEP_ALIVE_MS = 30_000

export interface DotsClientOptions {
  apiUrl: string
  clientId: string
  apiKey: string
  appId: string | undefined
  maxInFlight: number
  checkoutHosts: readonly string[]
  allowHttpCheckout: boolean
  now?: () => Date
  /** Time for a connection, its TLS included. */
  connectMs?: number
  /** Time from a request to the first byte of its answer, and between two parts of a body. */
  firstByteMs?: number
}

/** A session that a buyer can be sent to. */
export interface OpenSession {
  session: Session
  checkoutUrl: URL
}

/** What is known of the credentials: `unchecked` until Dots has answered once. */
export type CredentialsState = 'unchecked' | 'accepted' | 'refused'

/** The Dots API over kept-alive connections. Every method throws a {@link DotsError}, and nothing else. */
export class DotsClient {
  readonly #pool: Pool
  readonly #basePath: string
  readonly #headers: Record<string, string>
  readonly #options: DotsClientOptions
  readonly #now: () => Date
  #credentials: CredentialsState = 'unchecked'

  constructor(options: DotsClientOptions) {
    const url = new URL(options.apiUrl)
    this.#options = options
    this.#now = options.now ?? (() => new Date())
    this.#basePath = url.pathname.replace(/\/+$/, '')
    this.#pool = new Pool(url.origin, {
      connections: options.maxInFlight,
      pipelining: 1,
      connect: { timeout: options.connectMs ?? CONNECT_MS },
      headersTimeout: options.firstByteMs ?? FIRST_BYTE_MS,
      bodyTimeout: options.firstByteMs ?? FIRST_BYTE_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxResponseSize: LIST_BYTES,
    })
    const basic = Buffer.from(`${options.clientId}:${options.apiKey}`).toString('base64')
    this.#headers = {
      authorization: `Basic ${basic}`,
      accept: 'application/json',
      'user-agent': 'dots-buy-links',
      ...(options.appId !== undefined && { 'api-app-id': options.appId }),
    }
  }

  get credentials(): CredentialsState {
    return this.#credentials
  }

  /**
   * Opens a checkout session. The answer's URL has passed {@link checkCheckoutUrl}; nothing else of the answer is
   * needed for the buyer to go on. `deadlineMs` bounds everything.
   */
  async createCheckoutSession(
    request: CreateSession,
    { deadlineMs = CLICK_DEADLINE_MS }: { deadlineMs?: number } = {},
  ): Promise<OpenSession> {
    const answer = await this.#call('POST', '/v2/checkout-sessions', {
      body: JSON.stringify(request),
      deadlineMs,
      maxBytes: SESSION_BYTES,
    })
    const session = parseSession(answer.json)
    if (session?.checkout_session_url === undefined) {
      throw new DotsNonsenseError({ facts: { ...answer.facts, missing: 'checkout_session_url' } })
    }
    const checkoutUrl = this.checkUrl(session.checkout_session_url)
    if (checkoutUrl === undefined) {
      throw new DotsUnsafeUrlError({ facts: { dotsStatus: answer.facts.dotsStatus, host: hostOf(session) } })
    }
    return { session, checkoutUrl }
  }

  /** Reads one session. @throws DotsRequestError with code `dots-not-found` where Dots does not know it. */
  async getCheckoutSession(id: string, { deadlineMs }: { deadlineMs: number }): Promise<Session> {
    const path = `/v2/checkout-sessions/${encodeURIComponent(id)}`
    const answer = await this.#call('GET', path, { deadlineMs, maxBytes: SESSION_BYTES })
    const session = parseSession(answer.json)
    if (session === undefined) throw new DotsNonsenseError({ facts: answer.facts })
    return session
  }

  /** Reads one page (1 to 100) of the list of sessions; `startingAfter` is the last id of the page before. */
  async listCheckoutSessions({
    limit,
    startingAfter,
    deadlineMs,
  }: {
    limit: number
    startingAfter?: string | undefined
    deadlineMs: number
  }): Promise<{ sessions: Session[]; hasMore: boolean }> {
    const query = new URLSearchParams({ limit: String(limit) })
    if (startingAfter !== undefined) query.set('starting_after', startingAfter)
    const answer = await this.#call('GET', `/v2/checkout-sessions?${query}`, {
      deadlineMs,
      maxBytes: LIST_BYTES,
    })
    const page = parseSessionPage(answer.json)
    if (page === undefined) throw new DotsNonsenseError({ facts: answer.facts })
    return page
  }

  /** The address where a buyer may be sent, or undefined. Addresses read back from the store pass here again. */
  checkUrl(raw: string): URL | undefined {
    return checkCheckoutUrl(raw, {
      hosts: this.#options.checkoutHosts,
      allowHttp: this.#options.allowHttpCheckout,
    })
  }

  /** Waits for calls in flight, then closes every connection. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  async #call(
    method: 'GET' | 'POST',
    path: string,
    { body, deadlineMs, maxBytes }: { body?: string; deadlineMs: number; maxBytes: number },
  ): Promise<{ json: unknown; facts: AnswerFacts }> {
    let answer: Dispatcher.ResponseData
    let bytes: Buffer | undefined
    try {
      answer = await this.#pool.request({
        method,
        path: this.#basePath + path,
        headers:
          body === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' },
        body: body ?? null,
        signal: AbortSignal.timeout(deadlineMs),
      })
      bytes = await readBody(answer.body, maxBytes)
    } catch (error) {
      throw transportError(error)
    }
    const ok = answer.statusCode >= 200 && answer.statusCode < 300
    if (bytes === undefined) {
      // A refusal is known by its status, however long the page that a proxy has put around it.
      if (!ok) throw this.#refusal(answer, undefined)
      this.#credentials = 'accepted'
      throw new DotsNonsenseError({
        facts: { dotsStatus: answer.statusCode, tooLarge: `over ${maxBytes} bytes` },
      })
    }
    const facts: AnswerFacts = {
      dotsStatus: answer.statusCode,
      bytes: bytes.length,
      // Two lines with one hash are the same nonsense; the text itself may hold what a log must not.
      sha256: createHash('sha256').update(bytes).digest('hex').slice(0, 16),
    }
    const json = parseJson(answer.headers['content-type'], bytes)
    if (ok) {
      this.#credentials = 'accepted'
      if (json === undefined) throw new DotsNonsenseError({ facts })
      return { json, facts }
    }
    throw this.#refusal(answer, json)
  }

  #refusal(answer: Dispatcher.ResponseData, json: unknown): DotsError {
    const status = answer.statusCode
    const facts = { dotsStatus: status, dotsCode: refusalCode(json) }
    const retryAfterSeconds = parseRetryAfter(single(answer.headers['retry-after']), this.#now())
    if (status === 401 || status === 403) {
      this.#credentials = 'refused'
      return new DotsCredentialsError({ facts })
    }
    if (status === 409 || status === 429)
      return new DotsUnavailableError('none', { facts, retryAfterSeconds })
    // A gateway's 5xx does not tell whether Dots behind it had finished.
    if (status >= 500) return new DotsUnavailableError('maybe', { facts, retryAfterSeconds })
    return new DotsRequestError(status === 404 ? 'dots-not-found' : 'dots-request-refused', { facts })
  }
}

interface AnswerFacts {
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

function hostOf(session: Session): string | undefined {
  const url = session.checkout_session_url
  return url !== undefined && URL.canParse(url) ? new URL(url).host : undefined
}
