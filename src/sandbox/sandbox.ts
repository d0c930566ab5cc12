import { finished } from 'node:stream/promises'
import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify'
import { api, type Credentials, type RecordedRequest } from './api.ts'
import { type EventChanges, type EventSenderOptions, eventSender, type WebhookTarget } from './events.ts'
import { orderedFaults } from './faults.ts'
import { hostedPage } from './hosted-page.ts'
import { type Payment, sessionLedger } from './sessions.ts'

export type { RecordedRequest } from './api.ts'

// Longer than any client's pool keeps an idle connection, so that the sandbox is never the one that closes it.
const KEEP_ALIVE_MS = 65_000

// Far above any documented request, and small enough that a mistake cannot fill the memory.
const MAX_BODY_BYTES = 1024 * 1024

// As much as Node allows for all headers: an id that is too long is unknown, and not an error of its own.
const MAX_PARAM_LENGTH = 16 * 1024

// A payment is announced twice: when it is under way, and when it has succeeded.
const EVENTS_PER_PAYMENT = 2

export interface SandboxOptions extends Credentials, Partial<EventSenderOptions> {
  /** Default 0: any free port. */
  port?: number
  /** Default 127.0.0.1. */
  host?: string
  /** Base of `checkout_session_url`, no slash at its end. Default `http://localhost:PORT`. */
  pageBaseUrl?: string
  /** Dots documents no order for its list; callers must cope with either. Default newest first. */
  listOrder?: 'newest-first' | 'oldest-first'
  /** `false` saves the memory in a benchmark. Default true. */
  recordRequests?: boolean
  webhook?: WebhookTarget
}

/** A running look-alike of Dots: API, hosted page and events, with handles for tests. */
export type Sandbox = Awaited<ReturnType<typeof startSandbox>>

/** Starts a look-alike of Dots. Rejects where it cannot listen on the port. */
export async function startSandbox(options: SandboxOptions) {
  const { now = () => new Date(), random = Math.random, recordRequests = true } = options
  const requests: RecordedRequest[] = []
  const faults = orderedFaults()
  const events = eventSender(options.webhook, { ...options, now, random })
  const ledger = sessionLedger({
    now,
    pageBaseUrl: () => options.pageBaseUrl ?? `http://localhost:${port}`,
    listOrder: options.listOrder ?? 'newest-first',
  })

  /** Does what the page's Pay button does. Rejects where the session is not open. Events are sent after it. */
  async function pay(sessionId: string, payment: Payment = {}): Promise<void> {
    events.announce(ledger.pay(sessionId, payment).payment_intent_id, EVENTS_PER_PAYMENT)
  }

  const app = Fastify({
    bodyLimit: MAX_BODY_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // Paths are compared as they came: Dots documents no path that needs an escape.
    rewriteUrl: ({ url = '/' }) => url.replace(/^[^?]+/, (path) => path.replaceAll('%', '%25')),
  })
  // So that a GET with a body, which no documented call has, shows in the recorded requests.
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => done(null, text))
  app.setErrorHandler(answerError)
  app.register(api, {
    prefix: '/api',
    credentials: options,
    ledger,
    faults,
    record: (request) => recordRequests && requests.push({ ...request, receivedAt: now() }),
  })
  app.register(hostedPage, { find: ledger.find, pay })
  const { port } = new URL(await app.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' }))

  return {
    /** The base of the API: the value for `DOTS_API_URL`. */
    url: `http://127.0.0.1:${port}/api`,

    /** Every call to the API, in order. */
    requests,

    /** Every session by id, oldest first. */
    get sessions() {
      return ledger.all()
    },

    /** Every attempt to deliver an event, in order. */
    deliveries: events.deliveries,

    /** The faults of event delivery: set its fields at any time. */
    delivery: events.delivery,

    /** Where events go; a test may set it once it knows its own port. */
    get webhook() {
      return events.target
    },
    set webhook(target: WebhookTarget | undefined) {
      events.target = target
    },

    /** Forgets the recorded requests and deliveries, and the faults that were not used. Sessions stay. */
    clear(): void {
      requests.length = 0
      events.deliveries.length = 0
      faults.clear()
    },

    pay,

    /** Ends an open session now. Throws where it is not open. */
    expire: ledger.expire,

    /** From now on every API call is done, but its answer waits until `release`. */
    hold: faults.hold,

    /** Sends the answers that wait. */
    release: faults.release,

    /** Orders a bad answer for the next calls, of one kind or of any. Faults are used up in the order they came. */
    failNext: faults.order,

    /** Signs and posts one event now, once; resolves to the status of the answer, rejects where none came. */
    sendEvent: (sessionId: string, changes: EventChanges = {}) =>
      events.sendNow(ledger.find(sessionId)?.payment_intent_id, changes),

    /** Resolves once every event has had its answer; retries that are still ahead do not count. */
    eventsSettled: events.settled,

    /** Breaks every connection, forgets pending events, and frees the port. */
    async close(): Promise<void> {
      // Connections go first, so that an answer that waits is lost, as it is when a server goes down.
      app.server.closeAllConnections()
      faults.release()
      await Promise.all([app.close(), events.close()])
    },
  }
}

/** Answers for requests that Fastify refuses to read, and for bugs in the sandbox. */
async function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    // The rest is still read: closing the connection here would keep the answer from the caller.
    await finished(request.raw.resume()).catch(() => undefined)
    reply.removeHeader('connection').code(413)
    return { error: { code: 'invalid-input' } }
  }
  if (error.statusCode !== undefined && error.statusCode < 500)
    return reply.code(400).send({ error: { code: 'invalid-input', message: error.message } })
  console.error(error)
  request.raw.socket.destroy()
  return reply.hijack()
}
