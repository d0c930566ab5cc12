import type { DotsClient } from '../dots/client.ts'
import { hasCode, isDotsError, type Log } from '../errors.ts'
import type { Checkout } from '../store/checkout.ts'
import type { Store } from '../store/open-store.ts'
import { AFTER_CLICK_MS, type Backfill } from './backfill.ts'
import type { BackfillCursor, Lease } from './lease.ts'
import type { Settle } from './settle.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** After its expiry it takes a moment until Dots reports a session as expired. */
const AFTER_EXPIRY_MS = 30_000
/** Time between two checks of a session that Dots reports as open after its expiry. */
const RECHECK_MS = 10 * MINUTE_MS
/** The list is read this often even if nothing is known to be missing: a lost row leaves no trace. */
const BACKFILL_INTERVAL_MS = HOUR_MS
/** Minimum time between two backfills while something is missing: each makes some calls to Dots. */
const MIN_BACKFILL_INTERVAL_MS = 5 * MINUTE_MS
/** Sessions last three hours at most, so those older than this had ended at the last backfill, which settled them. */
const BACKFILL_OVERLAP_MS = 4 * HOUR_MS
/** Maximum difference between our clock and that of Dots. */
const CLOCK_SKEW_MS = 10 * MINUTE_MS
/** Longer than Svix tries to deliver an event, which is about 28 hours. */
const KEEP_EVENTS_MS = 7 * DAY_MS
/** A saved cart is deleted after a day; the cookie that leads to it expires earlier. */
const KEEP_SAVED_CARTS_MS = DAY_MS
const BATCH = 50
/** Maximum number of checkouts that are marked as checked after a backfill; the next backfill continues. */
const MAX_MARKED = 10_000

interface SweepOptions {
  store: Store
  dots: DotsClient
  settle: Settle
  lease: Lease
  backfill: Backfill
  log: Log
  now: () => Date
}

export type Sweep = ReturnType<typeof sweepService>

/** Finds payments that neither the buyer's return nor a webhook has reported. */
export function sweepService({ store, dots, settle, lease, backfill, log, now }: SweepOptions) {
  const { checkouts, events, savedCarts } = store
  const ago = (ms: number) => new Date(now().getTime() - ms).toISOString()
  const overdueNow = () => ({ before: ago(AFTER_EXPIRY_MS), checkedBefore: ago(RECHECK_MS) })
  // A day after its expiry a checkout is no longer checked. If it is paid after that, a backfill finds it.
  const isLongExpired = ({ expiresAt }: Checkout) => (expiresAt ?? '') < ago(DAY_MS)

  /**
   * One run, unless another process has the lease: checks the checkouts that should have ended, and looks for lost ones
   * in Dots' list. Where Dots does not answer, the run ends and the next one continues.
   *
   * @throws StoreError
   */
  async function sweep(signal: AbortSignal): Promise<void> {
    if (!(await lease.acquire())) return
    try {
      await events.prune(ago(KEEP_EVENTS_MS))
      await savedCarts.prune(ago(KEEP_SAVED_CARTS_MS))
      await backfillIfNeeded(await checkExpired(signal), signal)
    } catch (error) {
      if (!isDotsError(error)) throw error
      log[error.logLevel](
        { event: 'sweep.interrupted', ...error.details, code: error.code },
        'sweep interrupted: Dots did not answer; the next run continues',
      )
    } finally {
      await lease.release()
    }
  }

  /**
   * Checks open checkouts past their expiry one by one. Here the payments of buyers who closed the tab are found.
   * If there is a whole batch or more, none is checked here: a backfill settles a hundred with each call.
   */
  async function checkExpired(signal: AbortSignal): Promise<{ hasMore: boolean; oldestCreatedAt?: string }> {
    const overdue = await checkouts.overdue(overdueNow(), BATCH)
    if (overdue.length === BATCH) return { hasMore: true, oldestCreatedAt: overdue[0]?.createdAt }
    for (const checkout of overdue) {
      if (!(await lease.nextCall(signal))) break
      await checkSession(checkout)
    }
    return { hasMore: false }
  }

  async function checkSession(checkout: Checkout): Promise<void> {
    // Recorded before the call, so that a session whose check always fails does not block the others.
    await checkouts.markChecked(checkout.id)
    const isLast = isLongExpired(checkout)
    try {
      // Without a session id Dots cannot be asked. The backfills have already looked for the session.
      if (checkout.sessionId !== null) {
        await settle(checkout, await dots.getCheckoutSession(checkout.sessionId, 'background'), log)
      }
    } catch (error) {
      if (!hasCode(error, 'dots-request-refused', 'dots-not-found')) throw error
      log.warn(
        { event: 'sweep.session-unknown', code: error.code, checkout: checkout.id },
        'Dots does not know the session of a checkout',
      )
    }
    if (isLast) await checkouts.recordExpiry(checkout.id)
  }

  /** Reads Dots' list: every hour, and after five minutes if something is known to be missing. */
  async function backfillIfNeeded(
    expired: { hasMore: boolean; oldestCreatedAt?: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { completedAt, backfill: interrupted } = await lease.readCursor()
    const cursor = interrupted ?? (await newBackfill(completedAt, expired))
    if (cursor === undefined) return
    const saveCursor = (next: BackfillCursor) => lease.writeCursor({ completedAt, backfill: next })
    if (!(await backfill.run(cursor, signal, { saveCursor }))) return
    await backfill.failUnresolved(cursor)
    await markCheckedByBackfill(cursor)
    await lease.writeCursor({ completedAt: cursor.startedAt })
  }

  /** Where a backfill has to begin; undefined where none is due. */
  async function newBackfill(
    completedAt: string | undefined,
    expired: { hasMore: boolean; oldestCreatedAt?: string },
  ): Promise<BackfillCursor | undefined> {
    const [unresolved] = await checkouts.unresolved(ago(AFTER_CLICK_MS), 1)
    const last = completedAt ?? new Date(0).toISOString()
    const isMissing = unresolved !== undefined || expired.hasMore || (await events.countPending(last)) > 0
    if (last > ago(isMissing ? MIN_BACKFILL_INTERVAL_MS : BACKFILL_INTERVAL_MS)) return undefined
    // If the service was down for a day, the backfill starts before that time.
    const seenUntil = Date.parse(completedAt ?? ago(0)) - BACKFILL_OVERLAP_MS
    const missing = [unresolved?.createdAt, expired.oldestCreatedAt].filter((time) => time !== undefined)
    const since = Math.min(seenUntil, ...missing.map((time) => Date.parse(time)))
    return { since: new Date(since - CLOCK_SKEW_MS).toISOString(), startedAt: now().toISOString() }
  }

  /** Marks as checked what a complete backfill has not settled, so that it is not checked again at once. */
  async function markCheckedByBackfill({ since }: BackfillCursor): Promise<void> {
    for (const checkout of await checkouts.overdue(overdueNow(), MAX_MARKED)) {
      if (checkout.createdAt < since) continue
      if (isLongExpired(checkout)) await checkouts.recordExpiry(checkout.id)
      else await checkouts.markChecked(checkout.id)
    }
  }

  return sweep
}
