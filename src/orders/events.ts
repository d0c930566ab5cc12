import type { DotsClient } from '../dots/client.ts'
import { isDotsError, type Log } from '../errors.ts'
import { type Checkout, itemsOf } from '../store/checkout.ts'
import type { PendingEvent } from '../store/events.ts'
import type { Store } from '../store/open-store.ts'
import { MAX_ROWS } from '../store/store.ts'
import { isNotCalled, nextTurn } from './loop.ts'
import type { Settle } from './settle.ts'

/** Events that are claimed at once; few enough to be processed before their claim ends, also while Dots is slow. */
const BATCH = 50
/** Sessions that are asked for at one time, so that connections are left for buyers. */
const CALLS_AT_ONCE = 8
/** Longer than a batch takes. If the process dies meanwhile, its events are claimed again after this time. */
const CLAIM_SECONDS = 60
/**
 * Seconds before the second and the third look for the checkout of an event that has matched none; then it is done. Half a
 * minute is enough for a row that is being written, and nine more for the next backfill, which restores lost rows.
 */
const SECOND_LOOK_SECONDS = 30
const LOOK_AGAIN_SECONDS = [SECOND_LOOK_SECONDS, 540]
/** Seconds before Dots is asked again: it may show a payment only a moment after its event. After these, MAX_RETRY_SECONDS. */
const RETRY_SECONDS = [5, 30, 120]
const MAX_RETRY_SECONDS = 600
/** Before an event is processed again for which Dots was not asked at all; longer where Dots has asked for a pause. */
const NOT_CALLED_SECONDS = 5
/** A session that is still open after so many attempts was not paid; the sweep checks it once more when it has expired. */
const MAX_ATTEMPTS_AT_OPEN_SESSION = 5
/** About a week of attempts: what Dots has not answered by then, it never will. */
const MAX_ATTEMPTS = 1_010
/** After so many outages in a row Dots itself may be down, and the other events wait for the next run. */
const MAX_FAILURES_IN_A_ROW = 2

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

/** A checkout whose session is known, and the events that name it. */
interface Match {
  checkout: Checkout
  sessionId: string
  events: PendingEvent[]
}

/** How the calls to Dots of one run are going. */
interface Run {
  failuresInARow: number
  /** Dots is not asked any more in this run. */
  isOver: boolean
}

/**
 * Processes the webhooks of Dots. An event only shows that something may have changed; what counts is the session, which
 * is then read from Dots. Events that name no checkout cost Dots nothing.
 */
export function eventService({ store, dots, settle, log, now }: EventOptions) {
  const later = (seconds: number) => new Date(now().getTime() + seconds * 1000).toISOString()
  /** Events that have arrived in this turn of the event loop, and their processing. */
  let arrived: PendingEvent[] = []
  let processing: Promise<void> | undefined

  /** Processes events that are claimed: one look-up for many of them, one call to Dots for each checkout. */
  async function processAll(events: readonly PendingEvent[], run: Run): Promise<void> {
    const { matches, unmatched } = await match(events)
    await postponeUnmatched(unmatched)
    // Those that have failed least come first, so that sessions which always fail do not keep the others waiting.
    const queue = matches.sort((one, other) => attemptsOf(one) - attemptsOf(other)).values()
    await Promise.all(
      Array.from({ length: CALLS_AT_ONCE }, async () => {
        for (const one of queue) {
          await check(one, run)
          await nextTurn()
        }
      }),
    )
  }

  async function match(events: readonly PendingEvent[]) {
    const ids = [...new Set(events.flatMap(({ candidateIds }) => candidateIds))]
    const byId = new Map<string | null, Match>()
    for (let start = 0; start < ids.length; start += MAX_ROWS) {
      for (const checkout of await store.checkouts.findByAnyId(ids.slice(start, start + MAX_ROWS))) {
        const { id, sessionId, paymentIntentId } = checkout
        // A backfill has to find its session first.
        if (sessionId === null) continue
        const known = byId.get(id) ?? { checkout, sessionId, events: [] }
        for (const name of [id, sessionId, paymentIntentId]) byId.set(name, known)
      }
      await nextTurn()
    }
    const unmatched: PendingEvent[] = []
    for (const event of events) {
      const named = new Set(event.candidateIds.flatMap((id) => byId.get(id) ?? []))
      for (const known of named) known.events.push(event)
      if (named.size === 0) unmatched.push(event)
    }
    // Of two checkouts with one session only one is in the map by its name.
    const matches = [...new Set(byId.values())].filter((known) => known.events.length > 0)
    return { matches, unmatched }
  }

  /** Nothing is written before the second look at an event: it is claimed until then. */
  async function postponeUnmatched(events: readonly PendingEvent[]): Promise<void> {
    const pauses = Map.groupBy(events, ({ attempts, candidateIds }) =>
      candidateIds.length === 0 ? undefined : LOOK_AGAIN_SECONDS[attempts - 1],
    )
    for (const [seconds, some] of pauses) {
      const ids = some.map(({ id }) => id)
      if (seconds === undefined) await store.events.recordDone(ids)
      else if (seconds !== SECOND_LOOK_SECONDS) await store.events.recordRetry(ids, later(seconds))
    }
  }

  /** Asks Dots about a checkout that events have named, and records what becomes of them. @throws StoreError */
  async function check({ checkout, sessionId, events }: Match, run: Run): Promise<void> {
    const ids = events.map(({ id }) => id)
    const attempts = Math.max(...events.map((event) => event.attempts))
    if (checkout.state === 'complete') return void (await store.events.recordDone(ids))
    if (run.isOver) return void (await store.events.recordRetry(ids, later(NOT_CALLED_SECONDS), false))
    try {
      const session = await dots.getCheckoutSession(sessionId, 'background')
      run.failuresInARow = 0
      await settle(checkout, session, log)
      // An answer without a status says nothing of the payment.
      const most = session.status === 'open' ? MAX_ATTEMPTS_AT_OPEN_SESSION : MAX_ATTEMPTS
      if (session.status === 'complete' || session.status === 'expired' || attempts >= most) {
        return void (await store.events.recordDone(ids))
      }
    } catch (error) {
      if (!isDotsError(error)) throw error
      if (isNotCalled(error)) {
        run.isOver = true
        const seconds = Math.max(error.retryAfterSeconds ?? 0, NOT_CALLED_SECONDS)
        return void (await store.events.recordRetry(ids, later(seconds), false))
      }
      if (error.kind.outage) run.failuresInARow += 1
      run.isOver ||= run.failuresInARow >= MAX_FAILURES_IN_A_ROW
      log[error.logLevel](
        {
          event: 'event.postponed',
          ...error.details,
          code: error.code,
          checkout: checkout.id,
          items: itemsOf(checkout),
        },
        'event postponed: could not get the session from Dots',
      )
      if (attempts >= MAX_ATTEMPTS) return void (await store.events.recordDone(ids))
    }
    await store.events.recordRetry(ids, later(RETRY_SECONDS[attempts - 1] ?? MAX_RETRY_SECONDS))
  }

  return {
    /**
     * Records an event that has just arrived, claimed for the process that received it. Undefined where it arrived
     * before. @throws StoreError
     */
    async receive(id: string, body: unknown): Promise<PendingEvent | undefined> {
      const ids = candidateIds(body)
      const outcome = await store.events.record(id, ids, later(SECOND_LOOK_SECONDS))
      return outcome === 'seen' ? undefined : { id, candidateIds: ids, attempts: 1 }
    },

    /**
     * Processes an event that was received, together with all others that arrive in the same turn of the event loop.
     *
     * @throws StoreError
     */
    process(event: PendingEvent): Promise<void> {
      arrived.push(event)
      processing ??= nextTurn().then(() => {
        const events = arrived
        arrived = []
        processing = undefined
        return processAll(events, newRun())
      })
      return processing
    },

    /** Processes the events that are due, until there are none or `signal` is aborted. @throws StoreError */
    async processDue(signal: AbortSignal): Promise<void> {
      const run = newRun()
      while (!signal.aborted) {
        const due = await store.events.claimDue(BATCH, later(CLAIM_SECONDS))
        await nextTurn()
        await processAll(due, run)
        if (due.length < BATCH) return
      }
    },
  }
}

const newRun = (): Run => ({ failuresInARow: 0, isOver: false })

const attemptsOf = ({ events }: Match) => Math.min(...events.map(({ attempts }) => attempts))
