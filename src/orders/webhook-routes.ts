import { createHmac, timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyError, FastifyInstance } from 'fastify'
import type { Config } from '../config.ts'
import { AppError, type Log, loggedCause } from '../errors.ts'
import { StoreError } from '../store/store.ts'
import type { Events } from './events.ts'

/** Far more than the size of any event. */
const MAX_EVENT_BYTES = 256 * 1024
/** The sender gets its response within a second: what takes longer continues in the background, from the store. */
const PROCESS_AT_ONCE_MS = 700
/** How far the sender's clock and ours may differ (Standard Webhooks, "Verifying webhook authenticity"). */
const TIME_TOLERANCE_MS = 5 * 60_000
/** A wrong clock concerns every event: often enough for whoever looks at the log later. */
const CLOCK_WARNING_EVERY_MS = 3_600_000
/** Any time that a `Date` can hold. */
const UNIX_SECONDS = /^\d{1,12}$/

/** The response is the same for every reason, so that an attacker learns nothing from it. */
const NOT_SIGNED = { error: 'not signed' }

interface WebhookRoutesOptions {
  config: Pick<Config, 'dots'>
  events: Events
  now: () => Date
}

/**
 * `POST /webhooks/dots`, where Dots' events arrive, delivered and signed by Svix. All of the secrets are accepted. Only
 * what is not signed counts in the rate limit, since all events may come from one IP address.
 */
export async function webhookRoutes(
  app: FastifyInstance,
  { config, events, now }: WebhookRoutesOptions,
): Promise<void> {
  const keys = config.dots.webhookSecrets.map((secret) =>
    Buffer.from(secret.replace(/^whsec_/, ''), 'base64'),
  )
  let clockWarnedAt = Number.NEGATIVE_INFINITY
  // The signature covers the bytes as they came, so nothing may parse them before.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_EVENT_BYTES }, (_request, body, done) => {
    done(null, body)
  })
  app.setErrorHandler<FastifyError | AppError>(async (error, request, reply) => {
    const status = error instanceof AppError ? error.status : (error.statusCode ?? 500)
    if (status >= 500) throw error
    await request.countAttempt()
    // What cannot even be read, such as a broken content type, is not signed either.
    if (![400, 401, 415].includes(status)) throw error
    request.failure = new AppError('unsigned-event')
    return reply.code(401).send(NOT_SIGNED)
  })
  // Like `unsigned-event`: anyone can also send what is too large, or too many, in any number.
  app.addHook('onSend', async ({ failure }) => {
    if (failure !== undefined && failure.status < 500) failure.logLevel = 'debug'
  })

  const route = { bodyLimit: MAX_EVENT_BYTES, config: { limit: 'by-route' } } as const
  app.post('/webhooks/dots', route, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const signed = signedMessage(keys, body, request.headers)
    if (signed === undefined) throw new AppError('unsigned-event')
    const { id, sentAt } = signed
    const receivedAt = now()
    if (Math.abs(receivedAt.getTime() - sentAt.getTime()) > TIME_TOLERANCE_MS) {
      warnOfClock(request.log, { sentAt, receivedAt })
      throw new AppError('unsigned-event')
    }
    try {
      const event = await events.receive(id, parseJson(body))
      request.logFields.webhook = event === undefined ? 'seen' : 'new'
      if (event !== undefined) {
        const work = events.process(event).catch((error: unknown) => {
          // The event is stored as pending, so it is processed later.
          const cause = loggedCause(error)
          request.log.error({ event: 'event.failed', ...cause }, 'event stored, but not processed yet')
        })
        await Promise.race([work, sleep(PROCESS_AT_ONCE_MS, undefined, { ref: false })])
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      throw new AppError('event-not-stored', { cause: error, details: { storeCode: error.code } })
    }
    return reply.send({ received: true })
  })

  /** Nobody else can sign with a time that is wrong, so either this clock or the sender's is. */
  function warnOfClock(log: Log, times: { sentAt: Date; receivedAt: Date }): void {
    if (performance.now() - clockWarnedAt < CLOCK_WARNING_EVERY_MS) return
    clockWarnedAt = performance.now()
    log.warn(
      { event: 'webhook.clock-wrong', ...times },
      'the clock is wrong: a webhook with a valid signature was refused, more than five minutes off',
    )
  }
}

type Headers = Record<string, string | string[] | undefined>

/**
 * The id and time of an event that one of our keys has signed (Standard Webhooks, "Signature scheme"), under either name
 * of the headers. Node's HMAC is fast enough for a flood of forged events.
 */
function signedMessage(keys: readonly Buffer[], body: Buffer, headers: Headers) {
  const message = signedHeaders(headers, 'svix') ?? signedHeaders(headers, 'webhook')
  if (message === undefined) return undefined
  const { id, timestamp, signature } = message
  const given = signature.split(' ').map((one) => Buffer.from(one))
  const isSigned = keys.some((key) => {
    const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')
    const expected = Buffer.from(`v1,${hmac}`)
    return given.some((one) => one.length === expected.length && timingSafeEqual(one, expected))
  })
  return isSigned ? { id, sentAt: new Date(Number(timestamp) * 1000) } : undefined
}

function signedHeaders(headers: Headers, prefix: 'svix' | 'webhook') {
  const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map(
    (name) => headers[`${prefix}-${name}`],
  )
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string')
    return undefined
  return UNIX_SECONDS.test(timestamp) ? { id, timestamp, signature } : undefined
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // A signed body that is not JSON: its id is stored, and it refers to no checkout.
    return undefined
  }
}
