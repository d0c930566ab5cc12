import { hasCode } from '../errors.ts'
import type { Checkout } from '../store/checkout.ts'
import { processDueEvents } from './dots-events.ts'
import { parseWalk, type Walk } from './session-list.ts'
import { giveUpLost, walkSessions } from './session-walk.ts'
import { settleCheckout } from './settle-checkout.ts'
import {
  AFTER_CLICK_MS,
  ago,
  HOUR_MS,
  MINUTE_MS,
  pace,
  SWEEP_TURN,
  type Sweep,
  takeTurn,
} from './sweep-turn.ts'

const DAY_MS = 24 * HOUR_MS
/** Dots takes a moment to call a session expired. */
const AFTER_EXPIRY_MS = 30_000
/** How long a session that Dots still calls open after its end is left alone before it is asked after again. */
const ASK_AGAIN_MS = 10 * MINUTE_MS
/** The list is walked this often even when nothing is missed: a row may be missing without anybody knowing. */
const WALK_EVERY_MS = HOUR_MS
/** Sessions live three hours at the most: what was older at the last walk had ended by then, and was seen. */
const WALK_BACK_MS = 4 * HOUR_MS
/** As long as Svix may send an event again, and then some. */
const KEEP_EVENTS_MS = 7 * DAY_MS
/** Between two walks while something is missed: each costs Dots some calls. */
const WALK_SPACING_MS = 5 * MINUTE_MS
/** Our clock and Dots' may differ by so much. */
const CLOCKS_MS = 10 * MINUTE_MS
/** A day after it was put together nobody comes back for a selection. */
const KEEP_SELECTIONS_MS = DAY_MS
const BATCH = 50
/** Of what a walk leaves open, so many are put off at once; the next walk takes the rest. */
const MOST_LEFT_OPEN = 10_000
const WALKED = 'walked '

/** `busy`: another process has the turn. */
export type SweepOutcome = 'swept' | 'busy' | 'stopped'

/**
 * One round: takes up waiting events, asks after checkouts that should have ended, and looks for lost ones in Dots'
 * list. Where Dots does not answer, the round ends and the next one goes on.
 *
 * @throws StoreError, DotsError
 */
export async function sweep(deps: Sweep, signal: AbortSignal): Promise<SweepOutcome> {
  if (!(await takeTurn(deps))) return 'busy'
  try {
    await deps.store.events.prune(ago(deps, KEEP_EVENTS_MS))
    await deps.store.selections.prune(ago(deps, KEEP_SELECTIONS_MS))
    await processDueEvents(deps, signal)
    const overdue = await askOverdue(deps, signal)
    await walkIfNeeded(deps, overdue, signal)
    return signal.aborted ? 'stopped' : 'swept'
  } finally {
    await deps.store.leases.release(SWEEP_TURN, deps.holder)
  }
}

/**
 * Asks after open checkouts past their end, a batch a round: a buyer who paid and closed the tab is found here at the
 * latest. Where there are more, the walk through the list settles a hundred with each call; gives back the oldest then.
 */
async function askOverdue(deps: Sweep, signal: AbortSignal): Promise<Checkout | undefined> {
  const times = { before: ago(deps, AFTER_EXPIRY_MS), askedBefore: ago(deps, ASK_AGAIN_MS) }
  const overdue = await deps.store.checkouts.overdue(times, BATCH)
  if (overdue.length === BATCH) return overdue[0]
  for (const checkout of overdue) {
    await pace(deps, signal)
    if (signal.aborted || !(await takeTurn(deps))) return undefined
    await askAfter(deps, checkout)
  }
  return undefined
}

async function askAfter(deps: Sweep, checkout: Checkout): Promise<void> {
  const { dots, settle, store } = deps
  // It is noted before the question: a session that always fails must not stand in the way of the others.
  await store.checkouts.recordAsked(checkout.id)
  const isLongGone = (checkout.expiresAt ?? '') < ago(deps, DAY_MS)
  try {
    // Without an id nobody can be asked about it; the walks through the list would have met it by now.
    if (checkout.sessionId !== null) {
      const session = await dots.getCheckoutSession(checkout.sessionId, 'background')
      await settleCheckout(settle, checkout, session)
    }
  } catch (error) {
    if (!hasCode(error, 'dots-request-refused', 'dots-not-found')) throw error
    settle.log.warn({ code: error.code, checkout: checkout.id }, 'Dots does not answer for a session')
  }
  // Whatever Dots calls it: a day past its end it is asked after no more. Were it paid after all, a walk would tell.
  if (isLongGone) await store.checkouts.recordExpiry(checkout.id)
}

/** Looks for what is lost in Dots' list: soon where something is known to be missing, and now and then in any case. */
async function walkIfNeeded(deps: Sweep, overdue: Checkout | undefined, signal: AbortSignal): Promise<void> {
  const { store, settle } = deps
  const note = await store.leases.readNote(SWEEP_TURN)
  let walk = parseWalk(note)
  if (walk === undefined) {
    const walked = note?.startsWith(WALKED) ? note.slice(WALKED.length) : undefined
    const lastWalk = walked ?? new Date(0).toISOString()
    const [unfinished] = await store.checkouts.unfinished(ago(deps, AFTER_CLICK_MS), 1)
    const missed = [unfinished, overdue].filter((checkout) => checkout !== undefined)
    const isMissed = missed.length > 0 || (await store.events.countPending(lastWalk)) > 0
    if (lastWalk > ago(deps, isMissed ? WALK_SPACING_MS : WALK_EVERY_MS)) return
    // A service that stood still for a day goes back to where it stopped.
    const seenUntil = Date.parse(walked ?? ago(deps, 0)) - WALK_BACK_MS
    const since = Math.min(seenUntil, ...missed.map(({ createdAt }) => Date.parse(createdAt)))
    walk = {
      since: new Date(since - CLOCKS_MS).toISOString(),
      startedAt: settle.now().toISOString(),
    }
  }
  const keep = (place: Walk) => store.leases.writeNote(SWEEP_TURN, JSON.stringify(place))
  if (await walkSessions(deps, walk, signal, { keep })) {
    await giveUpLost(deps, walk)
    await askedByWalk(deps, walk)
    await store.leases.writeNote(SWEEP_TURN, `${WALKED}${walk.startedAt}`)
  }
}

/** What a whole walk has not settled is asked after one by one, but not before its time comes round again. */
async function askedByWalk(deps: Sweep, walk: Walk): Promise<void> {
  const { checkouts } = deps.store
  const times = { before: ago(deps, AFTER_EXPIRY_MS), askedBefore: ago(deps, ASK_AGAIN_MS) }
  const isLongGone = (checkout: Checkout) => (checkout.expiresAt ?? '') < ago(deps, DAY_MS)
  for (const checkout of await checkouts.overdue(times, MOST_LEFT_OPEN)) {
    if (checkout.createdAt < walk.since) continue
    if (isLongGone(checkout)) await checkouts.recordExpiry(checkout.id)
    else await checkouts.recordAsked(checkout.id)
  }
}
