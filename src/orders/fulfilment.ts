import { Webhook } from 'standardwebhooks'
import { type Dispatcher, request } from 'undici'
import type { Log } from '../log.ts'
import type { Announcement } from '../store/announcement.ts'
import type { Outbox } from '../store/store.ts'

/** Seconds after which an announcement is sent again: Svix's schedule (docs.svix.com/retries), then it is given up. */
export const RETRY_SECONDS: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
/** A receiver that needs longer should answer first and work afterwards. */
const ANSWER_MS = 15_000
/** Longer than an attempt takes; if the process dies over it, it is sent again after that. */
const CLAIM_MS = 20_000
/** Bytes of an answer that are read before its connection is given up. */
const LONGEST_ANSWER = 16 * 1024
/** No more are claimed than are tried at once: waiting behind a slow receiver would use up their claims. */
const AT_A_TIME = 8
/** So that a receiver which comes back is not met by everything at the same second. */
const JITTER = 0.1

export interface Fulfilment {
  outbox: Outbox
  log: Log
  url: string
  /** `whsec_…`; the first one signs. */
  secrets: readonly string[]
  now: () => Date
  random: () => number
  dispatcher: Dispatcher
  retrySeconds?: readonly number[]
}

/**
 * Sends the announcements that are due, signed as Standard Webhooks (standardwebhooks.com): at least once each, until
 * there are none or `signal` says stop.
 *
 * @throws StoreError
 */
export async function deliverAnnouncements(deps: Fulfilment, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const until = new Date(deps.now().getTime() + CLAIM_MS).toISOString()
    const due = await deps.outbox.claimDue(AT_A_TIME, until)
    await Promise.all(due.map((announcement) => deliver(deps, announcement)))
    if (due.length < AT_A_TIME) return
  }
}

async function deliver(deps: Fulfilment, announcement: Announcement): Promise<void> {
  const { outbox, log, now, random, retrySeconds = RETRY_SECONDS } = deps
  const failure = await attempt(deps, announcement)
  if (failure === undefined) {
    await outbox.recordDelivered(announcement.id)
    log.info({ announcement: announcement.id, attempt: announcement.attempts }, 'a paid order is announced')
    return
  }
  const facts = { announcement: announcement.id, attempt: announcement.attempts, reason: failure }
  const pause = retrySeconds[announcement.attempts - 1]
  if (pause === undefined) {
    await outbox.recordUndelivered(announcement, failure, undefined)
    log.error(facts, 'a paid order could not be announced: given up; `npm run orders -- --failed` shows it')
    return
  }
  const retryAt = new Date(now().getTime() + pause * 1000 * (1 + JITTER * random())).toISOString()
  await outbox.recordUndelivered(announcement, failure, retryAt)
  log.warn({ ...facts, retryAt }, 'a paid order could not be announced yet')
}

/** One POST. Undefined: taken (any 2xx); else why not, in a word that is safe to keep. */
async function attempt(deps: Fulfilment, { id, body }: Announcement): Promise<string | undefined> {
  const { url, secrets, now, dispatcher } = deps
  const timestamp = now()
  const [secret = ''] = secrets
  try {
    const answer = await request(url, {
      dispatcher,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'dots-buy-links',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
        'webhook-signature': new Webhook(secret).sign(id, timestamp, body),
      },
      body,
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    // The status is all that counts; a short rest is read so that the connection can be used again.
    void answer.body.dump({ limit: LONGEST_ANSWER }).catch(() => undefined)
    // undici follows no redirect by itself: a 3xx is a wrong address like any other refusal.
    return answer.statusCode >= 200 && answer.statusCode < 300 ? undefined : `status ${answer.statusCode}`
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
    return error instanceof Error ? error.name : 'failed'
  }
}
