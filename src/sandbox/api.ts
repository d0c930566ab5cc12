import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { ApiCall, Faults } from './faults.ts'
import { invalidInput, parseCreateSession, parseListQuery, Refusal } from './messages.ts'
import { answerOf, type SandboxSession, type SessionLedger } from './sessions.ts'

/** What the API accepts as proof of who is calling. */
export interface Credentials {
  clientId: string
  apiKey: string
  appId?: string
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

interface ApiOptions {
  credentials: Credentials
  ledger: SessionLedger
  faults: Faults
  record: (request: RecordedRequest) => void
  now: () => Date
}

/** Of the payment intent, by the status of its session. */
const INTENT_STATUS = { open: 'requires_payment_method', complete: 'succeeded', expired: 'canceled' }

type ApiRequest = FastifyRequest<{ Params: { id: string } }>

/** The documented calls, to be registered under `/api`. Every other call is a 404. */
export const api: FastifyPluginAsync<ApiOptions> = async (
  app,
  { credentials, ledger, faults, record, now },
) => {
  const answer = (call: ApiCall, perform: (request: ApiRequest, body: unknown) => object) =>
    async function answerCall(request: ApiRequest, reply: FastifyReply): Promise<FastifyReply> {
      const { method, originalUrl, headers } = request
      const body = parsed(request.body)
      record({ call, method, path: originalUrl, headers, body, receivedAt: now() })
      return await faults.answer(call, reply, () => {
        try {
          authenticate(headers, credentials)
          return { status: 200, body: perform(request, body) }
        } catch (error) {
          if (error instanceof Refusal) return error
          throw error
        }
      })
    }

  const create = answer('create', ({ headers }, body) => {
    if (!/^\s*application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? ''))
      throw invalidInput('the body must be application/json')
    return answerOf(ledger.create(parseCreateSession(body)))
  })
  const list = answer('list', ({ query }) => ledger.list(parseListQuery(query)))
  const read = answer('read', ({ params }) => answerOf(known(ledger.find(params.id))))
  const intent = answer('intent', ({ params }) => {
    const { payment_intent_id, status } = known(ledger.findByIntent(params.id))
    // Dots may return more fields. The service needs only these two, and tests must not depend on others.
    return { id: payment_intent_id, status: INTENT_STATUS[status] }
  })
  const other = answer('other', ({ method, originalUrl }) => {
    throw new Refusal(404, 'not-found', `no ${method} ${originalUrl.split('?', 1)[0]} here`)
  })

  // An id is at least one character: without one, the path is not documented.
  app.post('/v2/checkout-sessions', create)
  app.get('/v2/checkout-sessions', list)
  app.get('/v2/checkout-sessions/:id(.+)', read)
  app.get('/v2/payment-intents/:id(.+)', intent)
  app.setNotFoundHandler(other)
}

function known(session: SandboxSession | undefined): SandboxSession {
  if (!session) throw new Refusal(404, 'not-found', 'nothing has this id')
  return session
}

function authenticate(headers: IncomingHttpHeaders, { clientId, apiKey, appId }: Credentials): void {
  const expected = `Basic ${Buffer.from(`${clientId}:${apiKey}`).toString('base64')}`
  if (headers.authorization !== expected) throw new Refusal(401, 'unauthorized', 'wrong client id or key')
  if (appId !== undefined && headers['api-app-id'] !== appId)
    throw new Refusal(403, 'forbidden', 'Api-App-Id names no app of this organisation')
}

function parsed(body: unknown): unknown {
  if (typeof body !== 'string' || body === '') return undefined
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
