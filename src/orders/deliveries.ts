import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { type Dispatcher, request } from 'undici'
import type { Config } from '../config.ts'
import { outgoingDispatcher } from '../dispatcher.ts'
import type { Log } from '../errors.ts'
import type { Checkout } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import type { Announcement, Which } from '../store/outbox.ts'
import { StoreError } from '../store/store.ts'
import { backgroundLoop } from './loop.ts'

/** Seconds after which an announcement is sent again: Svix's schedule (docs.svix.com/retries). After the last it has failed. */
const RETRY_SECONDS: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
/** A receiver that needs longer should respond first and process the order afterwards. */
const RESPONSE_TIMEOUT_MS = 15_000
/** Longer than an attempt takes. If the process dies during it, the announcement is sent again after this time. */
const CLAIM_MS = 20_000
/** Bytes of a response that are read before its connection is given up. */
const MAX_RESPONSE_BYTES = 16 * 1024
/**
 * Requests at one time, few enough for a small receiver. Retries have slots of their own: orders that the receiver cannot
 * take, however many, do not hold up new ones.
 */
const FIRST_SLOTS = 12
const RETRY_SLOTS = 4
/**
 * A request that has no answer after this time, or after a few times what the last answers took, no longer takes a slot:
 * it is waited for beside the others. So at most some 500 requests are open when nothing is answered, and a receiver that
 * is slow with everything is not flooded.
 */
const SET_ASIDE_MS = 500
const SET_ASIDE_FACTOR = 3
/** How much the last answer counts in their average time. */
const LAST_ANSWER_SHARE = 0.2
/** So that a receiver does not get everything in the same second after an outage. */
const JITTER = 0.1
/** How long a stop waits for responses of receivers; platforms kill a process after ten seconds. */
const LAST_RESPONSES_MS = 2_000

interface DeliveriesOptions {
  /** Where orders are announced; without it nothing is ever sent. */
  fulfillment: Config['fulfillment']
  proxy: Config['proxy']
  store: Store
  log: Log
  now: () => Date
  everyMs: number
  /** Seconds between the attempts, for tests. */
  retrySeconds?: readonly number[]
  /** Takes the requests instead of connections of our own. Closed with the service. */
  dispatcher?: Dispatcher
}

interface Lane {
  which: Which
  free: number
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
    outgoingDispatcher(url, options.proxy, {
      headersTimeout: RESPONSE_TIMEOUT_MS,
      bodyTimeout: RESPONSE_TIMEOUT_MS,
    })
  const loop = backgroundLoop({ name: 'deliveries', everyMs, log, run: sendDue })

  const lanes: Lane[] = [
    { which: 'first', free: FIRST_SLOTS },
    { which: 'retry', free: RETRY_SLOTS },
  ]
  const underWay = new Map<string, Promise<void>>()
  let slotFreed = Promise.withResolvers<void>()
  let answerMs = 0
  let isClosed = false

  /**
   * Sends what is due, until nothing is left to start or `signal` is aborted. Does not wait for the answers.
   *
   * @throws StoreError
   */
  async function sendDue(signal: AbortSignal): Promise<void> {
    let hasMore = true
    while (hasMore && !signal.aborted) {
      slotFreed = Promise.withResolvers()
      hasMore = false
      for (const lane of lanes) hasMore = (await fill(lane)) || hasMore
      if (hasMore) await slotFreed.promise
      // Answers that came together are all recorded before the next ones are claimed.
      await setImmediate()
    }
  }

  /** Sends what is due while there are free slots; true if none is left. */
  async function fill(lane: Lane): Promise<boolean> {
    const { free, which } = lane
    if (free === 0) return true
    const until = new Date(now().getTime() + CLAIM_MS).toISOString()
    const due = await store.outbox.claimDue(free, until, which)
    const rows = await store.checkouts.findMany(due.map(({ checkoutId }) => checkoutId))
    const checkouts = new Map(rows.map((checkout) => [checkout.id, checkout]))
    for (const announcement of due) {
      // A clock that jumped ends a claim before its attempt.
      if (underWay.has(announcement.id)) continue
      send(announcement, checkouts.get(announcement.checkoutId), lane)
    }
    return lane.free === 0
  }

  function send(announcement: Announcement, checkout: Checkout | undefined, lane: Lane): void {
    const delivery = deliver(announcement, checkout).catch((error: unknown) => {
      const cause = error instanceof StoreError ? { code: error.code } : { err: error }
      log.error(
        { event: 'delivery.not-recorded', announcement: announcement.id, ...cause },
        'the outcome of a delivery was not recorded; it is sent again',
      )
    })
    lane.free -= 1
    const patienceMs = Math.max(SET_ASIDE_MS, SET_ASIDE_FACTOR * answerMs)
    void Promise.race([delivery, sleep(patienceMs, undefined, { ref: false })]).then(() => {
      lane.free += 1
      slotFreed.resolve()
    })
    underWay.set(announcement.id, delivery)
    void delivery.then(() => underWay.delete(announcement.id))
  }

  async function deliver(announcement: Announcement, checkout: Checkout | undefined): Promise<void> {
    const reason = await attempt(announcement.id, textOf(announcement, checkout))
    const details = { announcement: announcement.id, attempt: announcement.attempts }
    if (reason === undefined) {
      await store.outbox.recordDelivered(announcement.id)
      log.info({ event: 'delivery.done', ...details }, 'announcement delivered')
      return
    }
    // Cut off by the stop, which is no answer of the receiver: it is due again when its claim is over.
    if (isClosed) return
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
  async function attempt(id: string, body: string): Promise<string | undefined> {
    const timestamp = now()
    const sentAt = performance.now()
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
      await response.body.dump({ limit: MAX_RESPONSE_BYTES }).catch(() => undefined)
      answerMs += LAST_ANSWER_SHARE * (performance.now() - sentAt - answerMs)
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
      const stopped = loop.stop().then(() => Promise.all(underWay.values()))
      await Promise.race([stopped, sleep(LAST_RESPONSES_MS, undefined, { ref: false })])
      isClosed = true
      await dispatcher.destroy()
      await stopped
    },
  }
}

/** What is sent: the body of the completion, with what is known of the payment by now. */
function textOf({ body }: Announcement, checkout: Checkout | undefined): string {
  if (checkout === undefined) return body
  const message: { data: object } = JSON.parse(body)
  const { amountPaid, flags } = checkout
  return JSON.stringify({ ...message, data: { ...message.data, amount_paid: amountPaid, flags } })
}
