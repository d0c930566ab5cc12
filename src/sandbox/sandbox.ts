import { finished } from 'node:stream/promises'
import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify'
import { api, type Credentials, type RecordedRequest } from './api.ts'
import { type EventChanges, type EventSenderOptions, eventSender, type WebhookTarget } from './events.ts'
import { orderedFaults } from './faults.ts'
import { hostedPage } from './hosted-page.ts'
import { type Payment, sessionLedger } from './sessions.ts'

export interface SandboxOptions extends Credentials, Partial<EventSenderOptions> {
  /** Default 0: any free port. */
  port?: number
  /** Dots documents no order for its list; callers must cope with either. Default newest first. */
  listOrder?: 'newest-first' | 'oldest-first'
  /** `false` saves the memory under a load. Default true. */
  recordRequests?: boolean
}

/** A running sandbox: API, hosted page and events, with handles for tests. */
export type Sandbox = Awaited<ReturnType<typeof startSandbox>>

/** Starts a sandbox in the place of Dots on 127.0.0.1. Rejects where it cannot listen on the port. */
export async function startSandbox(options: SandboxOptions) {
  let port = ''
  const { app, handles } = buildSandbox({ ...options, pageOrigin: () => `http://localhost:${port}` })
  port = new URL(await app.listen({ port: options.port ?? 0, host: '127.0.0.1' })).port
  /** The base of the API: the value for `DOTS_API_URL`. */
  return Object.assign(handles, { url: `http://127.0.0.1:${port}/api` })
}

/** A sandbox that does not listen yet. `pageOrigin` gives the origin of its hosted pages. */
export function buildSandbox(options: SandboxOptions & { pageOrigin: () => string }) {
  const { now = () => new Date(), random = Math.random, listOrder, recordRequests = true } = options
  const requests: RecordedRequest[] = []
  const faults = orderedFaults()
  const events = eventSender({ ...options, now, random })
  const ledger = sessionLedger({ now, listOrder, pageUrl: (id) => `${options.pageOrigin()}/checkout/${id}` })

  /** Does what the page's Pay button does, and sends the events. Rejects where the session is not open. */
  async function pay(sessionId: string, payment: Payment = {}): Promise<void> {
    events.announce(ledger.pay(sessionId, payment).payment_intent_id)
  }

  const app = Fastify({
    // Far above any documented request, and small enough that a mistake cannot fill the memory.
    bodyLimit: 1024 * 1024,
    // Longer than any client's pool keeps an idle connection, so that the sandbox is never the one that closes it.
    keepAliveTimeout: 65_000,
    forceCloseConnections: true,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    // As much as Node allows for all headers: an id that is too long is unknown, and not an error of its own.
    routerOptions: { maxParamLength: 16 * 1024 },
    // Paths are compared as they came: Dots documents no path that needs an escape.
    rewriteUrl: ({ url = '/' }) => url.replace(/^[^?]+/, (path) => path.replaceAll('%', '%25')),
  })
  // So that a GET with a body, which no documented call has, shows in the recorded requests.
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => done(null, text))
  app.setErrorHandler(answerError)
  const record = (request: RecordedRequest) => recordRequests && requests.push(request)
  app.register(api, { prefix: '/api', credentials: options, ledger, faults, record, now })
  app.register(hostedPage, { find: ledger.find, pay })

  const handles = {
    /** Every call to the API, in order. */
    requests,
    /** Every session by id, oldest first. */
    get sessions() {
      return ledger.all()
    },
    /** One session by its id. */
    find: ledger.find,
    /** Every attempt to deliver an event, in order. */
    deliveries: events.deliveries,
    /** The faults of event delivery: set its fields at any time. */
    delivery: events.delivery,
    /** Where events go; a test may set it once it knows its own port. */
    get webhook() {
      return events.webhook
    },
    set webhook(webhook: WebhookTarget | undefined) {
      events.webhook = webhook
    },

    /** Deletes the recorded requests and deliveries, and the faults that were not used. Sessions remain. */
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
    /** Queues a fault for the next calls, of one kind or of any. Faults are used in the order in which they were queued. */
    failNext: faults.order,
    /** Signs and posts one event now, once; resolves to the status of the answer, rejects where none came. */
    sendEvent: (sessionId: string, changes: EventChanges = {}) =>
      events.sendNow(ledger.find(sessionId)?.payment_intent_id, changes),
    /** Resolves once every event has had its answer; retries that are still ahead do not count. */
    eventsSettled: events.settled,

    /** Closes every connection, drops pending events, and frees the port. */
    async close(): Promise<void> {
      // Connections go first, so that an answer that waits is lost, as it is when a server goes down.
      app.server.closeAllConnections()
      faults.release()
      await Promise.all([app.close(), events.close()])
    },
  }
  return { app, handles }
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
