import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { Agent, type Dispatcher, request } from 'undici'
import type { Config } from '../config.ts'
import type { Log } from '../errors.ts'
import type { Store } from '../store/open-store.ts'
import type { Announcement } from '../store/outbox.ts'
import { backgroundLoop } from './loop.ts'

/** Seconds after which an announcement is sent again: Svix's schedule (docs.svix.com/retries). After the last it has failed. */
const RETRY_SECONDS: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
/** A receiver that needs longer should respond first and process the order afterwards. */
const RESPONSE_TIMEOUT_MS = 15_000
/** Longer than an attempt takes. If the process dies during it, the announcement is sent again after this time. */
const CLAIM_MS = 20_000
/** Bytes of a response that are read before its connection is given up. */
const MAX_RESPONSE_BYTES = 16 * 1024
/** Claimed at once, and all sent at once: if one waited for a slow receiver, its claim would expire. */
const BATCH = 8
/** So that a receiver does not get everything in the same second after an outage. */
const JITTER = 0.1
/** How long a stop waits for responses of receivers; platforms kill a process after ten seconds. */
const LAST_RESPONSES_MS = 2_000

interface DeliveriesOptions {
  /** Where orders are announced; without it nothing is ever sent. */
  fulfillment: Config['fulfillment']
  store: Store
  log: Log
  now: () => Date
  everyMs: number
  /** Seconds between the attempts, for tests. */
  retrySeconds?: readonly number[]
  /** Takes the requests instead of connections of our own. Closed with the service. */
  dispatcher?: Dispatcher
}

export type Deliveries = ReturnType<typeof deliveryService>

/**
 * Sends the announcements in the outbox to the merchant's own system, signed as Standard Webhooks
 * (standardwebhooks.com), each at least once.
 */
export function deliveryService(options: DeliveriesOptions) {
  const { fulfillment, store, log, now, everyMs, retrySeconds = RETRY_SECONDS } = options
  if (fulfillment === undefined) return { start() {}, runNow() {}, async stop() {} }
  const { url, secrets } = fulfillment
  // The first secret signs. The others are those that receivers may still accept during a rotation.
  const signer = new Webhook(secrets[0] ?? '')
  const dispatcher =
    options.dispatcher ??
    new Agent({
      connections: BATCH,
      headersTimeout: RESPONSE_TIMEOUT_MS,
      bodyTimeout: RESPONSE_TIMEOUT_MS,
    })
  const loop = backgroundLoop({ name: 'deliveries', everyMs, log, run: deliverDue })

  /** Sends what is due, until nothing is left or `signal` is aborted. @throws StoreError */
  async function deliverDue(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const until = new Date(now().getTime() + CLAIM_MS).toISOString()
      const due = await store.outbox.claimDue(BATCH, until)
      await Promise.all(due.map(deliver))
      if (due.length < BATCH) return
    }
  }

  async function deliver(announcement: Announcement): Promise<void> {
    const reason = await attempt(announcement)
    const details = { announcement: announcement.id, attempt: announcement.attempts }
    if (reason === undefined) {
      await store.outbox.recordDelivered(announcement.id)
      log.info({ event: 'delivery.done', ...details }, 'announcement delivered')
      return
    }
    const pause = retrySeconds[announcement.attempts - 1]
    if (pause === undefined) {
      await store.outbox.recordUndelivered(announcement, reason, undefined)
      log.error(
        { event: 'delivery.failed', ...details, reason },
        'delivery failed permanently; `npm run orders -- --failed` lists it',
      )
      return
    }
    const retryAt = new Date(now().getTime() + pause * 1000 * (1 + JITTER * Math.random())).toISOString()
    await store.outbox.recordUndelivered(announcement, reason, retryAt)
    log.warn({ event: 'delivery.retry', ...details, reason, retryAt }, 'delivery failed; will retry')
  }

  /** One POST. Undefined if it was accepted (any 2xx); otherwise the reason, safe to store and to log. */
  async function attempt({ id, body }: Announcement): Promise<string | undefined> {
    const timestamp = now()
    try {
      const response = await request(url, {
        dispatcher,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'dots-buy-links',
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
          'webhook-signature': signer.sign(id, timestamp, body),
        },
        body,
        signal: AbortSignal.timeout(RESPONSE_TIMEOUT_MS),
      })
      // Only the status counts. A short body is read to its end, so that the connection can be used again.
      void response.body.dump({ limit: MAX_RESPONSE_BYTES }).catch(() => undefined)
      // undici does not follow redirects, so a 3xx counts as a failure.
      const isAccepted = response.statusCode >= 200 && response.statusCode < 300
      return isAccepted ? undefined : `status ${response.statusCode}`
    } catch (error) {
      if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
      return error instanceof Error ? error.name : 'failed'
    }
  }

  return {
    ...loop,
    /** Waits up to two seconds for requests in progress. Unfinished ones are sent again after the restart. */
    async stop() {
      const stopped = loop.stop()
      await Promise.race([stopped, sleep(LAST_RESPONSES_MS, undefined, { ref: false })])
      await dispatcher.destroy()
      await stopped
    },
  }
}
