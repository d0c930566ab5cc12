import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { type Dispatcher, request } from 'undici'
import type { Config } from '../config.ts'
import { faultOf, outgoingDispatcher } from '../dispatcher.ts'
import { type Log, loggedCause } from '../errors.ts'
import type { Checkout } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import type { Announcement, AttemptKind } from '../store/outbox.ts'
import { backgroundLoop, nextTurn } from './loop.ts'

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
/** Wall clock and monotonic clock differ by less, unless one was set. */
const EARLY_MS = 1_000
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
  /** A monotonic clock, in milliseconds. */
  clock: () => number
  everyMs: number
  /** Seconds between the attempts, for tests. */
  retrySeconds?: readonly number[]
  /** Takes the requests instead of connections of our own. Closed with the service. */
  dispatcher?: Dispatcher
}

/** Requests of one kind, and how many more may start. */
interface Lane {
  kind: AttemptKind
  free: number
}

export type Deliveries = ReturnType<typeof deliveryService>

/**
 * Sends the announcements in the outbox to the merchant's own system, signed as Standard Webhooks
 * (standardwebhooks.com), each at least once.
 */
export function deliveryService(options: DeliveriesOptions) {
  const { fulfillment, store, log, now, clock, everyMs, retrySeconds = RETRY_SECONDS } = options
  if (fulfillment === undefined) return { start() {}, runNow() {}, runsEnded: () => 0, async stop() {} }
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
    { kind: 'first', free: FIRST_SLOTS },
    { kind: 'retry', free: RETRY_SLOTS },
  ]
  const underWay = new Map<string, Promise<void>>()
  /** When the pause after the last attempt of this process ends, by the monotonic clock. */
  const pausedUntil = new Map<string, number>()
  let slotFreed = Promise.withResolvers<void>()
  /** The moving average of how long answers take. */
  let answerMs = 0
  let isClosed = false

  const later = (ms: number) => new Date(now().getTime() + ms).toISOString()

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
      await nextTurn()
    }
  }

  /** Sends what is due while there are free slots; true if more may be due. */
  async function fill(lane: Lane): Promise<boolean> {
    const { free, kind } = lane
    if (free === 0) return true
    const due = await store.outbox.claimDue(free, later(CLAIM_MS), kind)
    const rows = await store.checkouts.findMany(due.map(({ checkoutId }) => checkoutId))
    const checkouts = new Map(rows.map((checkout) => [checkout.id, checkout]))
    let sent = 0
    for (const announcement of due) {
      const { id } = announcement
      const pausedMs = kind === 'retry' ? (pausedUntil.get(id) ?? 0) - clock() : 0
      const earlyMs = underWay.has(id) ? CLAIM_MS : pausedMs
      // A clock that jumped ends a claim before its attempt, and so does the clock of another process. It is no attempt.
      if (earlyMs > EARLY_MS) {
        await store.outbox.postpone(announcement, later(earlyMs))
      } else {
        send(announcement, checkouts.get(announcement.checkoutId), lane)
        sent += 1
      }
    }
    // Slots may have been freed meanwhile.
    return sent === free
  }

  function send(announcement: Announcement, checkout: Checkout | undefined, lane: Lane): void {
    const delivery = deliver(announcement, checkout).catch((error: unknown) => {
      log.error(
        { event: 'delivery.not-recorded', announcement: announcement.id, ...loggedCause(error) },
        'the outcome of a delivery was not recorded; it is sent again',
      )
    })
    lane.free -= 1
    const setAsideMs = Math.max(SET_ASIDE_MS, SET_ASIDE_FACTOR * answerMs)
    void Promise.race([delivery, sleep(setAsideMs, undefined, { ref: false })]).then(() => {
      lane.free += 1
      slotFreed.resolve()
    })
    underWay.set(announcement.id, delivery)
    void delivery.then(() => underWay.delete(announcement.id))
  }

  async function deliver(announcement: Announcement, checkout: Checkout | undefined): Promise<void> {
    const reason = await attempt(announcement.id, textOf(announcement, checkout))
    const details = { announcement: announcement.id, attempt: announcement.attempts }
    pausedUntil.delete(announcement.id)
    if (reason === undefined) {
      await store.outbox.recordDelivered(announcement.id)
      log.info({ event: 'delivery.done', ...details }, 'announcement delivered')
      return
    }
    // Cut off by the stop, which is no answer of the receiver: it is due again when its claim is over.
    if (isClosed) return
    const pause = nextPause(announcement)
    if (pause === undefined) {
      await store.outbox.recordUndelivered(announcement, reason, undefined)
      log.error(
        { event: 'delivery.failed', ...details, reason },
        'delivery failed permanently; `npm run orders -- --failed` lists it',
      )
      return
    }
    pausedUntil.set(announcement.id, clock() + pause * 1000)
    const retryAt = later(pause * 1000 * (1 + JITTER * Math.random()))
    await store.outbox.recordUndelivered(announcement, reason, retryAt)
    log.warn({ event: 'delivery.retry', ...details, reason, retryAt }, 'delivery failed; will retry')
  }

  /**
   * Seconds until the next attempt; undefined after the last one. Under a clock that is ahead attempts come early, so the
   * attempts alone do not make it the last one: the time of all pauses has to be over as well.
   */
  function nextPause({ attempts, createdAt }: Announcement): number | undefined {
    const ageSeconds = (now().getTime() - Date.parse(createdAt)) / 1000
    const isOver = ageSeconds >= retrySeconds.reduce((sum, seconds) => sum + seconds, 0)
    return retrySeconds[attempts - 1] ?? (isOver ? undefined : retrySeconds.at(-1))
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
      return faultOf(error)
    }
  }

  return {
    ...loop,
    /** Also where a run waits for a free slot: what is new may have another kind of slot. */
    runNow() {
      slotFreed.resolve()
      loop.runNow()
    },
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
