import type { IncomingHttpHeaders } from 'node:http'
import type { ApiCall } from './faults.ts'
import { invalidInput, parseCreateSession, parseListQuery, Refusal } from './messages.ts'
import { answerOf, type SessionLedger } from './sessions.ts'

/** What the API accepts as proof of who is calling. */
export interface Credentials {
  clientId: string
  apiKey: string
  appId?: string | undefined
}

/** A call as it came over the wire. `path` has no query; `text` is the raw body. */
export interface ApiRequest {
  method: string
  path: string
  search: string
  headers: IncomingHttpHeaders
  text: string
}

export interface ApiAnswer {
  status: number
  body: object
}

const SESSIONS = '/api/v2/checkout-sessions'
const INTENTS = '/api/v2/payment-intents'

/** Names the documented call that a request is. */
export function callOf(method: string, path: string): ApiCall {
  if (path === SESSIONS && method === 'POST') return 'create'
  if (path === SESSIONS && method === 'GET') return 'list'
  if (idUnder(SESSIONS, path) && method === 'GET') return 'read'
  if (idUnder(INTENTS, path) && method === 'GET') return 'intent'
  return 'other'
}

/** Answers one API call; never throws for anything that a caller can send. */
export function answerApi(request: ApiRequest, credentials: Credentials, ledger: SessionLedger): ApiAnswer {
  try {
    authenticate(request.headers, credentials)
    return { status: 200, body: perform(request, ledger) }
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: error.body }
    throw error
  }
}

function authenticate(headers: IncomingHttpHeaders, { clientId, apiKey, appId }: Credentials): void {
  const expected = `Basic ${Buffer.from(`${clientId}:${apiKey}`).toString('base64')}`
  if (headers.authorization !== expected) throw new Refusal(401, 'unauthorized', 'wrong client id or key')
  if (appId !== undefined && headers['api-app-id'] !== appId)
    throw new Refusal(403, 'forbidden', 'Api-App-Id names no app of this organisation')
}

function perform(request: ApiRequest, ledger: SessionLedger): object {
  const { method, path } = request
  switch (callOf(method, path)) {
    case 'create':
      return answerOf(ledger.create(parseCreateSession(jsonBody(request))))
    case 'list':
      return ledger.list(parseListQuery(new URLSearchParams(request.search)))
    case 'read': {
      const session = ledger.find(idUnder(SESSIONS, path) ?? '')
      if (!session) throw new Refusal(404, 'not-found', 'no such checkout session')
      return answerOf(session)
    }
    case 'intent': {
      const session = ledger.findByIntent(idUnder(INTENTS, path) ?? '')
      if (!session) throw new Refusal(404, 'not-found', 'no such payment intent')
      // Only these two are documented; anything more would be kinder than Dots.
      return { id: session.payment_intent_id, status: session.payment_intent_status }
    }
    case 'other':
      throw new Refusal(404, 'not-found', `no ${method} ${path} here`)
  }
}

function jsonBody({ headers, text }: ApiRequest): unknown {
  const [mediaType] = (headers['content-type'] ?? '').split(';')
  if (mediaType?.trim().toLowerCase() !== 'application/json')
    throw invalidInput('the body must be application/json')
  try {
    return JSON.parse(text)
  } catch {
    throw invalidInput('the body is not JSON')
  }
}

function idUnder(folder: string, path: string): string | undefined {
  if (!path.startsWith(`${folder}/`)) return undefined
  const id = path.slice(folder.length + 1)
  return id === '' || id.includes('/') ? undefined : id
}
