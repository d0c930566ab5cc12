import type { DotsClient } from '../dots/client.ts'
import { type AppError, hasCode, isDotsError, type Log } from '../errors.ts'
import { itemsOf } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { MAX_ROWS } from '../store/store.ts'
import type { OverdueCheckout } from '../store/unsettled-checkouts.ts'
import { AFTER_CLICK_MS, type Backfill, type BackfillProgress, fromTheTop } from './backfill.ts'
import { BATCH, backfillPlan, whichAreOverdue } from './backfill-plan.ts'
import { type BackfillCursor, LEASE_RETRY_MS, type Lease } from './lease.ts'
import { inBatches, isNotCalled } from './loop.ts'
import type { Settle } from './settle.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** Pages of Dots' list in a run: the checks one by one must not wait longer for them. */
const PAGES = 50
/**
 * After so many outages in a row something is called that Dots has answered before. With one retry each, this is less than
 * what opens the circuit breaker, which would stop the other checks and the webhooks.
 */
const MAX_FAILURES_IN_A_ROW = 2
/** For the same reason: with the retries that are allowed, less than half of the breaker's last twenty calls. */
const MAX_FAILURES = 6
/**
 * Where a run goes on after each outage, as a part of the checkouts that have failed as often: sessions that always fail
 * may be neighbours, and must not take every probe of an open circuit breaker.
 */
const JUMPS = [1, 0.5, 0.25, 0.75, 0]

/** Pauses after each failure of the list in a row. */
const LIST_PAUSES_MS = [1, 2, 4, 8, 10].map((minutes) => minutes * MINUTE_MS)
/** After so many failures in a row the next backfill starts at the top, so that one bad page does not hide new sessions. */
const MAX_FAILURES_OF_A_PAGE = 3

/** Longer than Svix tries to deliver an event, which is about 28 hours. */
const KEEP_EVENTS_MS = 7 * DAY_MS
/** A saved cart is deleted after a day; the cookie that leads to it expires earlier. */
const KEEP_SAVED_CARTS_MS = DAY_MS

interface SweepOptions {
  store: Store
  dots: DotsClient
  settle: Settle
  lease: Lease
  backfill: Backfill
  log: Log
  now: () => Date
  /** A monotonic clock, in milliseconds. */
  clock: () => number
}

export type Sweep = ReturnType<typeof sweepService>

/** Finds payments that neither the buyer's return nor a webhook has reported. */
export function sweepService({ store, dots, settle, lease, backfill, log, now, clock }: SweepOptions) {
  const { checkouts, events, savedCarts } = store
  const ago = (ms: number) => new Date(now().getTime() - ms).toISOString()
  const plan = backfillPlan({ checkouts, ago })
  // A day after its expiry a checkout is no longer checked. If it is paid after that, a backfill finds it.
  const isLongExpired = ({ expiresAt }: OverdueCheckout) => (expiresAt ?? '') < ago(DAY_MS)

  /** Whether this process has begun a backfill since its start. */
  let hasBegun = false
  /** `pausedUntil` is by the monotonic clock. */
  const list = { failures: 0, pausedUntil: 0 }
  /** Whether the backfill has met a session whose click may be in progress, and when it is repeated for its sake. */
  const clicks = { isMet: false, repeatAt: 0 }
  /** The last session that Dots has shown to this sweep. */
  let knownId: string | undefined
  /** Outages that single checks have met, of which each leads to the next of the {@link JUMPS}. */
  let outages = 0

  /**
   * One run, unless another process has the lease: looks for lost checkouts in Dots' list, and checks those that should
   * have ended one by one. Neither waits for the other to succeed. Resolves to the milliseconds until the next run where
   * it is to come early: another process has the lease, Dots may be called again, or a click must have ended.
   *
   * @throws StoreError
   */
  async function sweep(signal: AbortSignal): Promise<number> {
    if (!(await lease.acquire())) return LEASE_RETRY_MS
    try {
      await inBatches(() => events.prune(ago(KEEP_EVENTS_MS)))
      await inBatches(() => savedCarts.prune(ago(KEEP_SAVED_CARTS_MS)))
      // First what a crash before this start may have lost. After that the checks come first: a list that fails, or that
      // makes Dots ask for a pause, then stops none of them.
      const isListFirst = !hasBegun && list.failures === 0
      if (isListFirst) await backfillIfDue(signal)
      const waitMs = await checkOverdue(signal)
      if (!isListFirst) await backfillIfDue(signal)
      const repeatMs = clicks.repeatAt - clock()
      return Math.min(waitMs, repeatMs > 0 ? repeatMs : Number.POSITIVE_INFINITY)
    } finally {
      await lease.release()
    }
  }

  /** Reads what is new in Dots' list: at the start, every five minutes, and where the last run has not come to its end. */
  async function backfillIfDue(signal: AbortSignal): Promise<void> {
    if (isListPausing()) return
    const { cursor: stored, wasAhead } = await lease.readCursor()
    // Under a clock that was more than a day ahead, live checkouts have expired.
    if (wasAhead) await inBatches(() => checkouts.reopenExpired(ago(-DAY_MS)))
    const isRepeated = clicks.repeatAt > 0 && clock() >= clicks.repeatAt
    let cursor = await plan(stored, { hasBegun, isRepeated })
    if (cursor === undefined) return
    const saveCursor = async (next: BackfillCursor) => {
      hasBegun = true
      list.failures = 0
      cursor = next
      await lease.writeCursor({ ...stored, checkpoint: undefined, backfill: next })
    }
    try {
      const onProgress = ({ inProgress }: BackfillProgress) => {
        clicks.isMet ||= inProgress > 0
      }
      if (!(await backfill.run(cursor, signal, { saveCursor, onProgress, maxPages: PAGES }))) return
    } catch (error) {
      if (!isDotsError(error)) throw error
      noteListFailure(error, signal)
      if (list.failures >= MAX_FAILURES_OF_A_PAGE && cursor.startingAfter !== undefined) {
        await lease.writeCursor({ ...stored, backfill: fromTheTop(cursor) })
      }
      return
    }
    hasBegun = true
    clicks.repeatAt = clicks.isMet ? clock() + AFTER_CLICK_MS : 0
    clicks.isMet = false
    const { since, startedAt, isLong, checkpoint, newest, coveredSince = since } = cursor
    await backfill.failUnresolved(cursor)
    await inBatches(() => checkouts.expireForgotten(since, ago(DAY_MS)))
    await inBatches(() => checkouts.markLookedFor(coveredSince, startedAt))
    const longCompletedAt = isLong ? startedAt : stored.longCompletedAt
    const endedReadAt = isLong || cursor.readsEnded ? startedAt : stored.endedReadAt
    const complete = {
      completedAt: startedAt,
      longCompletedAt,
      endedReadAt,
      checkpoint,
      newest,
      coveredSince,
    }
    await lease.writeCursor(complete)
  }

  /**
   * Checks open checkouts past their expiry one by one. Here the payments of buyers who closed the tab are found. Resolves
   * to the milliseconds until Dots may be called where it may not be called now.
   */
  async function checkOverdue(signal: AbortSignal): Promise<number> {
    const isClosed = dots.calls.breakers.background === 'closed'
    const due = await checkouts.overdue(whichAreOverdue(ago), MAX_ROWS)
    let failures = 0
    // After an open circuit breaker the first call is the one that decides, so it is not one for a single session.
    let failuresInARow = isClosed ? 0 : MAX_FAILURES_IN_A_ROW
    let position = isClosed ? 0 : nextJump(due)
    for (let checks = 0; checks < BATCH && due.length > 0; checks += 1) {
      if (failuresInARow >= MAX_FAILURES_IN_A_ROW) {
        failuresInARow = 0
        await callKnown(signal)
      }
      const [checkout] = due.splice(Math.min(position, countAlike(due) - 1), 1)
      if (checkout === undefined || failures >= MAX_FAILURES || !(await lease.nextCall(signal))) break
      const error = await checkSession(checkout, signal)
      if (error === undefined) failuresInARow = 0
      else if (isNotCalled(error)) return (error.retryAfterSeconds ?? 0) * 1000
      else if (error.kind.outage) {
        failures += 1
        failuresInARow += 1
        outages += 1
        position = nextJump(due)
      }
    }
    return Number.POSITIVE_INFINITY
  }

  const nextJump = (due: readonly OverdueCheckout[]) =>
    Math.round((JUMPS[(outages - 1) % JUMPS.length] ?? 0) * (countAlike(due) - 1))

  /** Resolves to the error of Dots where there was one. */
  async function checkSession(checkout: OverdueCheckout, signal: AbortSignal): Promise<AppError | undefined> {
    const { id, sessionId, checkFailures, lastCheckedAt } = checkout
    if (sessionId === null) return undefined
    // Recorded before the call: if the process dies during it, the next one begins with the others.
    await checkouts.recordCheck(id, checkFailures + 1)
    try {
      const session = await dots.getCheckoutSession(sessionId, 'background')
      knownId = sessionId
      await settle(checkout, session, log)
      if (isLongExpired(checkout)) await checkouts.recordExpiry(id)
      else if (session.status !== 'complete' && session.status !== 'expired') {
        await checkouts.recordCheck(id, 0)
      }
      return undefined
    } catch (error) {
      if (!isDotsError(error)) throw error
      if (isNotCalled(error) || signal.aborted) {
        await checkouts.recordCheck(id, checkFailures, lastCheckedAt)
        return error
      }
      if (checkFailures === 0) {
        log.warn(
          {
            event: 'sweep.session-failed',
            ...error.details,
            code: error.code,
            checkout: id,
            items: itemsOf(checkout),
          },
          'session could not be checked; it is checked again with growing pauses',
        )
      }
      // What Dots does not know cannot be paid any more.
      if (isLongExpired(checkout) && hasCode(error, 'dots-request-refused', 'dots-not-found')) {
        await checkouts.recordExpiry(id)
      }
      return error
    }
  }

  /**
   * Calls what Dots has answered before, which closes the circuit breaker where Dots is well: the session that it has
   * shown last, or else the list. Where both have failed, the checks themselves are the probes.
   */
  async function callKnown(signal: AbortSignal): Promise<void> {
    if ((knownId === undefined && isListPausing()) || !(await lease.nextCall(signal))) return
    try {
      if (knownId === undefined) await dots.listCheckoutSessions({ limit: 1 })
      else await dots.getCheckoutSession(knownId, 'background')
    } catch (error) {
      if (!isDotsError(error)) throw error
      if (knownId === undefined) noteListFailure(error, signal)
      else if (!isNotCalled(error)) knownId = undefined
    }
  }

  const isListPausing = () => list.failures > 0 && clock() < list.pausedUntil

  function noteListFailure(error: AppError, signal: AbortSignal): void {
    if (isNotCalled(error) || signal.aborted) return
    const pauseMs = LIST_PAUSES_MS[list.failures] ?? Math.max(...LIST_PAUSES_MS)
    list.failures += 1
    list.pausedUntil = clock() + pauseMs
    log[error.logLevel](
      { event: 'sweep.interrupted', ...error.details, code: error.code, retryAt: ago(-pauseMs) },
      'the list of sessions could not be read; the backfill continues later',
    )
  }

  return sweep
}

/** How many of the first checkouts have failed equally often. */
function countAlike(due: readonly OverdueCheckout[]): number {
  const index = due.findIndex(({ checkFailures }) => checkFailures !== due[0]?.checkFailures)
  return index < 0 ? due.length : index
}
