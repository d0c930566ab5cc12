import type { DotsClient } from '../dots/client.ts'
import { isDotsError } from '../errors.ts'
import type { PendingEvent, Store } from '../store/store.ts'
import { type SettleCheckout, settleCheckout } from './settle-checkout.ts'

/** Longer than the work on one event takes; if the process dies over it, somebody else takes it up after that. */
const CLAIM_MS = 20_000
/**
 * Enough to catch up after an outage, few enough to leave the connections to the buyers. No more are claimed than are
 * worked on at once: waiting behind a slow Dots would use up their claims.
 */
const AT_A_TIME = 4
/**
 * Pauses before an event is looked at again, in seconds: Dots may show a payment a moment after it has announced it,
 * and the row that an event belongs to may be found by the sweep. Then the last one repeats.
 */
const LOOK_AGAIN_SECONDS = [5, 30, 120, 600, 1_800, 3_600]
/** A session that stays open after so many looks was not paid; the sweep asks once more when it has expired. */
const LOOKS_AT_AN_OPEN_SESSION = 5

const MOST_HINTS = 50
const DEEPEST = 6
/** What an id of Dots can look like; sentences, times and addresses are none. */
const HINT = /^[A-Za-z0-9_-]{8,200}$/

export interface DotsEvents {
  store: Store
  dots: DotsClient
  settle: SettleCheckout
}

/** Every text in an event's body that may be the id of a session, a payment intent or a checkout, wherever it stands. */
export function hintsOf(body: unknown): string[] {
  const hints = new Set<string>()
  const visit = (value: unknown, depth: number): void => {
    if (hints.size >= MOST_HINTS || depth > DEEPEST) return
    if (typeof value === 'string') {
      if (HINT.test(value)) hints.add(value)
    } else if (typeof value === 'object' && value !== null) {
      for (const part of Object.values(value)) visit(part, depth + 1)
    }
  }
  visit(body, 0)
  return [...hints]
}

/** Takes up one event that has just come in. @throws StoreError */
export async function processEvent(deps: DotsEvents, id: string): Promise<void> {
  const event = await deps.store.events.claim(id, later(deps, CLAIM_MS))
  if (event !== undefined) await settleEvent(deps, event)
}

/** Takes up the events that are due, until there are none or `signal` says stop. @throws StoreError */
export async function processDueEvents(deps: DotsEvents, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const events = await deps.store.events.claimDue(AT_A_TIME, later(deps, CLAIM_MS))
    await Promise.all(events.map((event) => settleEvent(deps, event)))
    if (events.length < AT_A_TIME) return
  }
}

/** An event is only a hint: what counts is what Dots says of the session when it is asked. */
async function settleEvent(deps: DotsEvents, event: PendingEvent): Promise<void> {
  const { store, dots, settle } = deps
  const checkouts = await store.checkouts.findByHints(event.hints)
  let settled = checkouts.length > 0 || event.hints.length === 0
  for (const checkout of checkouts) {
    if (checkout.state === 'complete') continue
    if (checkout.sessionId === null) {
      settled = false
      continue
    }
    try {
      const session = await dots.getCheckoutSession(checkout.sessionId, 'background')
      await settleCheckout(settle, checkout, session)
      if (session.status === 'open' && event.attempts < LOOKS_AT_AN_OPEN_SESSION) settled = false
    } catch (error) {
      if (!isDotsError(error)) throw error
      settle.log[error.logLevel](
        { ...error.details, code: error.code, checkout: checkout.id },
        'an event waits: Dots could not be asked',
      )
      settled = false
    }
  }
  if (settled) await store.events.recordDone(event.id)
  else await store.events.recordRetry(event.id, later(deps, pauseSeconds(event.attempts) * 1000))
}

function pauseSeconds(attempts: number): number {
  const index = Math.min(Math.max(attempts, 1), LOOK_AGAIN_SECONDS.length) - 1
  return LOOK_AGAIN_SECONDS[index] ?? 3_600
}

function later({ settle }: DotsEvents, ms: number): string {
  return new Date(settle.now().getTime() + ms).toISOString()
}
