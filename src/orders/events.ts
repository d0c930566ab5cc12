import type { DotsClient } from '../dots/client.ts'
import { isDotsError, type Log } from '../errors.ts'
import type { PendingEvent } from '../store/events.ts'
import type { Store } from '../store/open-store.ts'
import type { Settle } from './settle.ts'

/** Longer than one event takes. If the process dies meanwhile, the event is claimed again after this time. */
export const CLAIM_MS = 20_000
/**
 * Enough to catch up after an outage, and few enough to leave connections for buyers. All claimed events are processed at
 * once: if one waited while Dots is slow, its claim would expire.
 */
const BATCH = 4
/**
 * Seconds before an event is processed again: Dots may show a payment only a moment after its event, or a backfill may
 * restore the row later. After these, MAX_RETRY_SECONDS.
 */
const RETRY_SECONDS = [5, 30, 120, 600, 1_800]
const MAX_RETRY_SECONDS = 3_600
/** A session that is still open after so many attempts was not paid; the sweep checks it once more when it has expired. */
const MAX_ATTEMPTS_AT_OPEN_SESSION = 5

const MAX_CANDIDATE_IDS = 50
const MAX_DEPTH = 6
/** The possible form of an id of Dots. Sentences, times and URLs do not match. */
const CANDIDATE_ID = /^[A-Za-z0-9_-]{8,200}$/

/** Every text in an event's body that may be the id of a session, a payment intent or a checkout, at any depth. */
export function candidateIds(body: unknown): string[] {
  const ids = new Set<string>()
  const visit = (value: unknown, depth: number): void => {
    if (ids.size >= MAX_CANDIDATE_IDS || depth > MAX_DEPTH) return
    if (typeof value === 'string') {
      if (CANDIDATE_ID.test(value)) ids.add(value)
    } else if (typeof value === 'object' && value !== null) {
      for (const part of Object.values(value)) visit(part, depth + 1)
    }
  }
  visit(body, 0)
  return [...ids]
}

interface EventOptions {
  store: Store
  dots: DotsClient
  settle: Settle
  log: Log
  now: () => Date
}

export type Events = ReturnType<typeof eventService>

/**
 * Processes the webhooks of Dots. An event only shows that something may have changed; what counts is the session, which
 * is then read from Dots.
 */
export function eventService({ store, dots, settle, log, now }: EventOptions) {
  const later = (ms: number) => new Date(now().getTime() + ms).toISOString()

  /** Processes one event that is claimed. @throws StoreError */
  async function process(event: PendingEvent): Promise<void> {
    const checkouts = await store.checkouts.findByAnyId(event.candidateIds)
    let isDone = checkouts.length > 0 || event.candidateIds.length === 0
    for (const checkout of checkouts) {
      if (checkout.state === 'complete') continue
      if (checkout.sessionId === null) {
        isDone = false
        continue
      }
      try {
        const session = await dots.getCheckoutSession(checkout.sessionId, 'background')
        await settle(checkout, session, log)
        if (session.status === 'open' && event.attempts < MAX_ATTEMPTS_AT_OPEN_SESSION) isDone = false
      } catch (error) {
        if (!isDotsError(error)) throw error
        log[error.logLevel](
          { event: 'event.postponed', ...error.details, code: error.code, checkout: checkout.id },
          'event postponed: could not get the session from Dots',
        )
        isDone = false
      }
    }
    if (isDone) await store.events.recordDone(event.id)
    else {
      const seconds = RETRY_SECONDS[event.attempts - 1] ?? MAX_RETRY_SECONDS
      await store.events.recordRetry(event.id, later(seconds * 1000))
    }
  }

  return {
    /**
     * Records an event that has just arrived, claimed for the process that received it. Undefined where it arrived
     * before. @throws StoreError
     */
    async receive(id: string, body: unknown): Promise<PendingEvent | undefined> {
      const ids = candidateIds(body)
      const outcome = await store.events.record(id, ids, later(CLAIM_MS))
      if (outcome === 'seen') return undefined
      return { id, candidateIds: ids, attempts: 1, receivedAt: now().toISOString() }
    },

    process,

    /** Processes the events that are due, until there are none or `signal` is aborted. @throws StoreError */
    async processDue(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const due = await store.events.claimDue(BATCH, later(CLAIM_MS))
        await Promise.all(due.map(process))
        if (due.length < BATCH) return
      }
    },
  }
}
