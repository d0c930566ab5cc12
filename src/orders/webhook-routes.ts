import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { AppError } from '../errors.ts'
import { StoreError } from '../store/store.ts'
import { type DotsEvents, hintsOf, processEvent } from './dots-events.ts'

/** Events are thin; this is far more than any. */
const LARGEST_EVENT = 256 * 1024
/** An answer is promised within a second: what takes longer goes on behind it, and is kept in the store anyway. */
const SETTLE_AT_ONCE_MS = 700

/** The same bytes for every reason: a forger learns nothing from them. */
const NOT_SIGNED = { error: 'not signed' }

/** `POST /webhooks/dots`, where Dots' events arrive, delivered and signed by Svix. */
export async function webhookRoutes(
  app: FastifyInstance,
  { secrets, events }: { secrets: readonly string[]; events: DotsEvents },
): Promise<void> {
  const verifiers = secrets.map((secret) => new Webhook(secret))
  // The signature covers the bytes as they came, so nothing may parse them before.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: LARGEST_EVENT }, (_request, body, done) => {
    done(null, body)
  })
  // What cannot even be read, such as a broken content type, is not signed either.
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof AppError || !isUnreadable(error)) throw error
    return refuse(request, reply)
  })

  app.post('/webhooks/dots', { bodyLimit: LARGEST_EVENT }, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const id = verifiedId(verifiers, body, request.headers)
    if (id === undefined) return refuse(request, reply)
    try {
      const outcome = await events.store.events.recordEvent(id, hintsOf(parseJson(body)))
      request.facts.event = outcome
      if (outcome === 'new') {
        const work = processEvent(events, id).catch((error: unknown) => {
          // It stays in the store as pending, so nothing is lost with this.
          const facts = error instanceof StoreError ? { code: error.code } : { err: error }
          request.log.error(facts, 'an event was kept and could not be settled at once')
        })
        await Promise.race([work, sleep(SETTLE_AT_ONCE_MS, undefined, { ref: false })])
      }
    } catch (error) {
      if (error instanceof StoreError) {
        throw new AppError('event-not-stored', { cause: error, details: { storeCode: error.code } })
      }
      throw error
    }
    return reply.send({ received: true })
  })
}

function refuse(request: FastifyRequest, reply: FastifyReply) {
  request.failure = new AppError('unsigned-event')
  return reply.code(401).send(NOT_SIGNED)
}

function isUnreadable(error: unknown): boolean {
  return (
    error instanceof Error && 'statusCode' in error && (error.statusCode === 415 || error.statusCode === 400)
  )
}

type Headers = Record<string, string | string[] | undefined>

/** The id of an event that one of our secrets has signed within five minutes, under either name of the headers. */
function verifiedId(verifiers: readonly Webhook[], body: Buffer, headers: Headers): string | undefined {
  const signed = ['svix', 'webhook']
    .map((prefix) => signedHeaders(headers, prefix))
    .find((candidate) => candidate !== undefined)
  if (signed === undefined) return undefined
  for (const verifier of verifiers) {
    try {
      verifier.verify(body, signed, { jsonParse: false })
      return signed['webhook-id']
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error
    }
  }
  return undefined
}

function signedHeaders(headers: Headers, prefix: string) {
  const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map(
    (name) => headers[`${prefix}-${name}`],
  )
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string')
    return undefined
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // Signed, and still no JSON: kept by its id, and leads nowhere.
    return undefined
  }
}
