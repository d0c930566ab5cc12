import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { answerApi, type Credentials, callOf } from './api.ts'
import { answerCheckout } from './checkout.ts'
import {
  type Delivery,
  type DeliveryAttempt,
  type EventChanges,
  EventSender,
  type WebhookTarget,
} from './events.ts'
import { type ApiCall, type CannedAnswer, Faults } from './faults.ts'
import { type Payment, type SandboxSession, SessionLedger } from './sessions.ts'
import { BodyTooLargeError, readText, send, sendBroken, sendJson } from './wire.ts'

// Longer than any client's pool keeps an idle connection, so that the sandbox is never the one to hang up.
const KEEP_ALIVE_MS = 65_000

// A payment is seen twice by its webhook: under way, then succeeded.
const EVENTS_PER_PAYMENT = 2

export interface SandboxOptions extends Credentials {
  /** Default 0: any free port. */
  port?: number
  /** Default 127.0.0.1. */
  host?: string
  now?: () => Date
  random?: () => number
  /** Base of `checkout_session_url`, no slash at its end. Default `http://localhost:PORT`. */
  pageBaseUrl?: string
  /** Dots documents no order for its list; callers must live with either. Default newest first. */
  listOrder?: 'newest-first' | 'oldest-first'
  /** `false` spares the memory in a benchmark. Default true. */
  recordRequests?: boolean
  webhook?: WebhookTarget
  /** Milliseconds between the attempts to deliver one event. Default: Svix's schedule. */
  retryAfterMs?: readonly number[]
  /** Milliseconds that a webhook has for its answer. Default 15,000. */
  answerWithinMs?: number
}

/** A call to the API as it arrived. */
export interface RecordedRequest {
  call: ApiCall
  method: string
  /** With its query. */
  path: string
  headers: IncomingHttpHeaders
  /** Parsed where it is JSON, the raw text where it is not, undefined where there was none. */
  body: unknown
  receivedAt: Date
}

/** Starts a look-alike of Dots. Rejects where the port cannot be had. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = new Sandbox(options)
  await sandbox.listen()
  return sandbox
}

/** A running look-alike of Dots: API, hosted page and events, with handles for tests. */
export class Sandbox {
  readonly requests: RecordedRequest[] = []
  readonly #options: SandboxOptions
  readonly #now: () => Date
  readonly #ledger: SessionLedger
  readonly #faults = new Faults()
  readonly #events: EventSender
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  #port = 0

  constructor(options: SandboxOptions) {
    this.#options = options
    this.#now = options.now ?? (() => new Date())
    this.#ledger = new SessionLedger({
      now: this.#now,
      pageBaseUrl: () => options.pageBaseUrl ?? `http://localhost:${this.#port}`,
      listOrder: options.listOrder ?? 'newest-first',
    })
    const { retryAfterMs, answerWithinMs, random = Math.random } = options
    this.#events = new EventSender(options.webhook, { now: this.#now, random, retryAfterMs, answerWithinMs })
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS
  }

  /** The base of the API: the value for `DOTS_API_URL`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/api`
  }

  get sessions(): ReadonlyMap<string, SandboxSession> {
    return this.#ledger.all
  }

  /** Every attempt to deliver an event, in order. */
  get deliveries(): readonly DeliveryAttempt[] {
    return this.#events.deliveries
  }

  /** How badly events travel: set its fields at any time. */
  get delivery(): Delivery {
    return this.#events.delivery
  }

  /** Where events go; a test may set it once it knows its own port. */
  get webhook(): WebhookTarget | undefined {
    return this.#events.target
  }

  set webhook(target: WebhookTarget | undefined) {
    this.#events.target = target
  }

  /** Forgets the recorded requests and deliveries, and the faults that were not used. Sessions stay. */
  clear(): void {
    this.requests.length = 0
    this.#events.deliveries.length = 0
    this.#faults.clear()
  }

  /** Does what the page's Pay button does. Rejects where the session is not open. Events are sent after it. */
  async pay(sessionId: string, payment: Payment = {}): Promise<void> {
    const session = this.#ledger.pay(sessionId, payment)
    this.#events.announce(session.payment_intent_id, EVENTS_PER_PAYMENT)
  }

  /** Ends an open session now. Throws where it is not open. */
  expire(sessionId: string): void {
    this.#ledger.expire(sessionId)
  }

  /** Lets every API call be done but its answer wait, until {@link release}. */
  hold(): void {
    this.#faults.hold()
  }

  release(): void {
    this.#faults.release()
  }

  /** Orders a bad answer for the next calls, of one kind or of any. Faults are used up in the order they came. */
  failNext(answer: CannedAnswer, times = 1, call: ApiCall | 'any' = 'any'): void {
    this.#faults.order(answer, times, call)
  }

  /** Signs and posts one event now, once; resolves to the status of the answer, rejects where none came. */
  sendEvent(sessionId: string, changes: EventChanges = {}): Promise<number> {
    return this.#events.sendNow(this.#ledger.find(sessionId)?.payment_intent_id, changes)
  }

  /** Resolves once every event has had its answer; retries that are still ahead do not count. */
  eventsSettled(): Promise<void> {
    return this.#events.settled()
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#options.port ?? 0, this.#options.host ?? '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the sandbox has no port')
    this.#port = address.port
  }

  /** Hangs up on everybody, forgets pending events, and frees the port. */
  async close(): Promise<void> {
    this.#faults.release()
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await Promise.all([closed, this.#events.close()])
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [path = '', ...rest] = (request.url ?? '').split('?')
      const text = await readText(request)
      if (path.startsWith('/api/')) await this.#answerApi(request, response, path, rest.join('?'), text)
      else await this.#answerPage(request, response, path, text)
    } catch (error) {
      if (error instanceof BodyTooLargeError) sendJson(response, 413, { error: { code: 'invalid-input' } })
      else if (request.destroyed && !request.complete) response.destroy()
      else {
        console.error(error)
        response.destroy()
      }
    }
  }

  async #answerApi(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    search: string,
    text: string,
  ): Promise<void> {
    const { headers, method = 'GET' } = request
    const call = callOf(method, path)
    if (this.#options.recordRequests !== false)
      this.requests.push({
        call,
        method,
        path: request.url ?? path,
        headers,
        body: parsed(text),
        receivedAt: this.#now(),
      })
    const fault = this.#faults.take(call)
    if (fault === 'hang') return
    if (fault === 'reset') {
      request.socket.resetAndDestroy()
      return
    }
    if (typeof fault === 'object' && 'status' in fault) {
      await this.#faults.passed()
      const { body = {} } = fault
      if (typeof body === 'string') send(response, fault.status, { ...fault.headers }, body)
      else sendJson(response, fault.status, body, fault.headers)
      return
    }
    const answer = answerApi({ method, path, search, headers, text }, this.#options, this.#ledger)
    await this.#faults.passed()
    if (fault === undefined) sendJson(response, answer.status, answer.body)
    else if (fault === 'done-then-reset') request.socket.resetAndDestroy()
    else if (typeof fault === 'string') sendBroken(response, answer, fault)
    else {
      const altered = fault.alter(structuredClone({ ...answer.body }))
      if (typeof altered === 'string') send(response, answer.status, {}, altered)
      else sendJson(response, answer.status, altered)
    }
  }

  async #answerPage(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    text: string,
  ): Promise<void> {
    const answer = await answerCheckout(
      { method: request.method ?? 'GET', path, form: new URLSearchParams(text) },
      { find: (id) => this.#ledger.find(id), pay: (id, payment) => this.pay(id, payment) },
    )
    send(response, answer.status, answer.headers, request.method === 'HEAD' ? '' : answer.body)
  }
}

function parsed(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
