import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { StoreError } from '../store/store.ts'
import type { Events } from './events.ts'

/** Far more than the size of any event. */
const MAX_EVENT_BYTES = 256 * 1024
/** The sender gets its response within a second: what takes longer continues in the background, from the store. */
const PROCESS_AT_ONCE_MS = 700

/** The response is the same for every reason, so that an attacker learns nothing from it. */
const NOT_SIGNED = { error: 'not signed' }

/** `POST /webhooks/dots`, where Dots' events arrive, delivered and signed by Svix. All of the secrets are accepted. */
export async function webhookRoutes(
  app: FastifyInstance,
  { config, events }: { config: Pick<Config, 'dots'>; events: Events },
): Promise<void> {
  const verifiers = config.dots.webhookSecrets.map((secret) => new Webhook(secret))
  // The signature covers the bytes as they came, so nothing may parse them before.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_EVENT_BYTES }, (_request, body, done) => {
    done(null, body)
  })
  // What cannot even be read, such as a broken content type, is not signed either.
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof AppError || !isUnreadable(error)) throw error
    return refuse(request, reply)
  })

  app.post('/webhooks/dots', { bodyLimit: MAX_EVENT_BYTES }, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const id = verifiedId(verifiers, body, request.headers)
    if (id === undefined) return refuse(request, reply)
    try {
      const event = await events.receive(id, parseJson(body))
      request.logFields.webhook = event === undefined ? 'seen' : 'new'
      if (event !== undefined) {
        const work = events.process(event).catch((error: unknown) => {
          // The event is stored as pending, so it is processed later.
          const details = error instanceof StoreError ? { code: error.code } : { err: error }
          request.log.error({ event: 'event.failed', ...details }, 'event stored, but not processed yet')
        })
        await Promise.race([work, sleep(PROCESS_AT_ONCE_MS, undefined, { ref: false })])
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      throw new AppError('event-not-stored', { cause: error, details: { storeCode: error.code } })
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
  const signed = signedHeaders(headers, 'svix') ?? signedHeaders(headers, 'webhook')
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

function signedHeaders(headers: Headers, prefix: 'svix' | 'webhook') {
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
    // A signed body that is not JSON: its id is stored, and it refers to no checkout.
    return undefined
  }
}
