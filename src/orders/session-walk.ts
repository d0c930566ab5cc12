import type { Session } from '../dots/messages.ts'
import { hasCode } from '../errors.ts'
import type { Checkout } from '../store/checkout.ts'
import { isNewToTheShop, isOurs, restoreCheckout } from './restore.ts'
import { nextPage, type Walk } from './session-list.ts'
import { type OwnMetadata, readOwnMetadata } from './session-metadata.ts'
import { settleCheckout } from './settle-checkout.ts'
import { AFTER_CLICK_MS, ago, HOUR_MS, pace, type Sweep, takeTurn } from './sweep-turn.ts'

/** By then a session that was made is in Dots' list; what is not found there was never made. */
const GIVE_UP_MS = HOUR_MS
/** The next round takes the rest. */
const MOST_AT_ONCE = 1_000

/** How a walk is going: pages and sessions seen, and what was done about them. */
export interface WalkProgress {
  sessions: number
  settled: number
  restored: number
  /** Complete before the store was made: in the outbox, and not sent by themselves. */
  held: number
  /** Held back by an earlier walk, and sent now. */
  released: number
}

export interface WalkOptions {
  /** Announces the sales that are held back although they may have been announced before. */
  announceRestored?: boolean
  progress?: (progress: Readonly<WalkProgress>) => void
  /** Called with each place from where the walk could be gone on with. */
  keep?: (walk: Walk) => Promise<void>
}

/**
 * Walks Dots' list to the end of `walk`, settles what it meets and restores what the store has lost. True at the
 * end; false when it was stopped.
 *
 * @throws StoreError, DotsError
 */
export async function walkSessions(
  deps: Sweep,
  from: Walk,
  signal: AbortSignal,
  { announceRestored = false, progress, keep }: WalkOptions = {},
): Promise<boolean> {
  const counts: WalkProgress = { sessions: 0, settled: 0, restored: 0, held: 0, released: 0 }
  let walk: Walk | undefined = from
  while (walk !== undefined) {
    await pace(deps, signal)
    if (signal.aborted || !(await takeTurn(deps))) return false
    const page = await pageOf(deps, walk, keep)
    const ours = page.sessions.flatMap((session) => {
      const own = readOwnMetadata(session)
      return own === undefined ? [] : [{ session, own }]
    })
    const known = new Map(
      (await deps.store.checkouts.findByHints(ours.map(({ own }) => own.checkoutId))).map((checkout) => [
        checkout.id,
        checkout,
      ]),
    )
    for (const { session, own } of ours) {
      await meet(deps, session, own, known.get(own.checkoutId), { announceRestored, counts })
    }
    counts.sessions += page.sessions.length
    progress?.(counts)
    walk = page.next
    if (walk !== undefined) await keep?.(walk)
  }
  return true
}

/** A session to go on after that Dots does not know any more: the next round starts at the top again. */
async function pageOf({ dots }: Sweep, walk: Walk, keep: WalkOptions['keep']): ReturnType<typeof nextPage> {
  try {
    return await nextPage(dots, walk)
  } catch (error) {
    if (hasCode(error, 'dots-request-refused', 'dots-not-found') && walk.startingAfter !== undefined) {
      const { startingAfter, ...fromTheStart } = walk
      await keep?.(fromTheStart)
    }
    throw error
  }
}

async function meet(
  deps: Sweep,
  session: Session,
  own: OwnMetadata,
  known: Checkout | undefined,
  { announceRestored, counts }: { announceRestored: boolean; counts: WalkProgress },
): Promise<void> {
  const { checkouts, outbox } = deps.store
  if (known?.state === 'complete') {
    await settleCheckout(deps.settle, known, session)
    const sends = announceRestored && deps.settle.announceAs === 'pending'
    if (sends && (await outbox.release(known.id))) counts.released += 1
    return
  }
  if (known?.state === 'expired' && session.status === 'expired') return
  // A click that is under way knows better than we do which of its attempts has led the buyer somewhere.
  if (known?.state === 'creating' && known.createdAt > ago(deps, AFTER_CLICK_MS)) return
  if (known === undefined) {
    if (!isOurs(session, deps.publicUrl)) return
    const mayBeKnown = session.status === 'complete' && !(await isNewToTheShop(deps, session))
    const isHeld = mayBeKnown && !announceRestored
    await restoreCheckout(deps, session, own, isHeld)
    counts.restored += 1
    if (isHeld && deps.settle.announceAs === 'pending') counts.held += 1
  }
  if (known === undefined || known.sessionId === null) {
    await checkouts.recordFound(own.checkoutId, {
      sessionId: session.id,
      paymentIntentId: session.payment_intent_id,
      checkoutUrl: session.checkout_session_url,
      expiresAt: session.expiry ?? ago(deps, 0),
    })
  }
  if (session.status !== 'complete' && session.status !== 'expired') return
  const checkout = await checkouts.find(own.checkoutId)
  if (checkout === undefined || checkout.state === 'complete') return
  await settleCheckout(deps.settle, checkout, session)
  counts.settled += 1
}

/**
 * Whatever is still unfinished after a whole walk, lies within it and is an hour old was never made. What is older
 * than the walk went back stays for one that goes further.
 */
export async function giveUpLost({ store }: Sweep, walk: Walk): Promise<void> {
  const before = new Date(Date.parse(walk.startedAt) - GIVE_UP_MS).toISOString()
  const lost = await store.checkouts.unfinished(before, MOST_AT_ONCE)
  for (const { id, createdAt } of lost) {
    if (createdAt >= walk.since) await store.checkouts.recordFailed(id, 'never-opened')
  }
}
