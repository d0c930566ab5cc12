import type { Store } from '../store/open-store.ts'
import type { Overdue } from '../store/unsettled-checkouts.ts'
import { AFTER_CLICK_MS } from './backfill.ts'
import type { BackfillCursor, SweepCursor } from './lease.ts'
import { idPrefix, timeOfId } from './session-metadata.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** After its expiry it takes a moment until Dots reports a session as expired. */
const AFTER_EXPIRY_MS = 30_000
/** Sessions last three hours at most; an hour more for a wrong clock. */
const MAX_SESSION_MS = 4 * HOUR_MS
/**
 * Time between two checks of a session that Dots reports as open after its expiry, and after each failed check in a row. A
 * session that Dots never answers is then asked for every two hours.
 */
const RECHECK_MS = [10, 10, 20, 40, 80, 120].map((minutes) => minutes * MINUTE_MS)
/** Checked one by one in a run of the sweep; a backfill settles a hundred with each call. */
export const BATCH = 25

/** What is new in the list is read at each start and this often: a crash may lose a row without a trace. */
const BACKFILL_INTERVAL_MS = 5 * MINUTE_MS
/** This often a backfill is a long one, which also meets the sessions that were open at the last long one. */
const LONG_BACKFILL_INTERVAL_MS = HOUR_MS
/** Sessions last three hours at most, so those older than this had ended at the last long backfill, which settled them. */
const LONG_OVERLAP_MS = 4 * HOUR_MS
/** A session may show in the list a moment after one that was created later. */
const LIST_OVERLAP_MS = MINUTE_MS
/** What has ended is read once more within this time, since Dots may report an end late. */
const ENDED_OVERLAP_MS = 20 * MINUTE_MS
const ENDED_INTERVAL_MS = HOUR_MS
/** Sessions in the list whose long backfill is 20 pages. */
const SMALL_LIST = 2_000
/** Longer than the call of a click takes: sessions lie in the order of the ids of their checkouts but for this time. */
const CLICK_MS = 15_000
/** Maximum difference between our clock and that of Dots. */
const CLOCK_SKEW_MS = 10 * MINUTE_MS

/** `ms` milliseconds before now, ISO 8601. */
type Ago = (ms: number) => string

/** Which open checkouts should have ended, and were not checked a short time ago. */
export function whichAreOverdue(ago: Ago): Overdue {
  return {
    endedBefore: ago(AFTER_EXPIRY_MS),
    latestExpiry: ago(-MAX_SESSION_MS),
    checkedBefore: RECHECK_MS.map(ago),
  }
}

/**
 * Plans what a backfill reads. In a list from new to old that is what was created since the newest session that the last
 * one has read, and then, if many checkouts should have ended, the part where their sessions are. In a list in another
 * order, or where something older is missing, it is all since a time, which once an hour is four hours before.
 */
export function backfillPlan({ checkouts, ago }: { checkouts: Store['checkouts']; ago: Ago }) {
  /** Where the backfill that is due begins; undefined where none is due. */
  async function plan(
    stored: SweepCursor,
    { hasBegun, isRepeated }: { hasBegun: boolean; isRepeated: boolean },
  ): Promise<BackfillCursor | undefined> {
    const { completedAt, longCompletedAt, newest, coveredSince, backfill: interrupted } = stored
    if (interrupted !== undefined && hasBegun) return interrupted
    const isRecent = completedAt !== undefined && completedAt > ago(BACKFILL_INTERVAL_MS)
    if (hasBegun && isRecent && !isRepeated) return undefined
    const [unresolved] = await checkouts.unresolved(ago(AFTER_CLICK_MS), 1)
    const startedAt = ago(0)
    const isCovered = coveredSince !== undefined && (unresolved?.createdAt ?? startedAt) >= coveredSince
    const isLongDue = (longCompletedAt ?? '') <= ago(LONG_BACKFILL_INTERVAL_MS)
    if (newest !== undefined && isCovered && !(isLongDue && (await isSmall()))) {
      const part = await endedPart(stored)
      const newSince = new Date(Date.parse(newest) - LIST_OVERLAP_MS).toISOString()
      // Without a session that is newer than the part, the list is read on to its end.
      const since =
        part !== undefined && part.after === undefined && part.since < newSince ? part.since : newSince
      const ended = part?.after === undefined ? undefined : { ...part, after: part.after }
      return { since, startedAt, coveredSince, ended, readsEnded: part !== undefined }
    }
    const isLong = interrupted?.isLong === true || isLongDue
    const seenUntil = Date.parse((isLong ? longCompletedAt : undefined) ?? completedAt ?? startedAt)
    // More than can be checked one by one: the backfill begins early enough to settle them.
    const [oldest, ...others] = await checkouts.overdue(whichAreOverdue(ago), BATCH + 1)
    const missing = [unresolved?.createdAt, others.length === BATCH ? oldest?.createdAt : undefined]
    const times = missing.filter((time) => time !== undefined).map((time) => Date.parse(time))
    const from = Math.min(seenUntil - (isLong ? LONG_OVERLAP_MS : 0), ...times) - CLOCK_SKEW_MS
    const since = new Date(Math.min(from, Date.parse(interrupted?.since ?? startedAt))).toISOString()
    const checkpoint = interrupted?.checkpoint ?? stored.checkpoint
    return { since, startedAt, isLong, checkpoint, coveredSince: since }
  }

  /** Whether a long backfill takes so few pages that it is made each hour, since it meets whatever the others may miss. */
  async function isSmall(): Promise<boolean> {
    return (await checkouts.countSince(ago(LONG_OVERLAP_MS + CLOCK_SKEW_MS), SMALL_LIST + 1)) <= SMALL_LIST
  }

  /**
   * Where in a list from new to old the sessions are that should have ended since the last time that this part was read: if
   * they are too many to be checked one by one, or if some could not be checked, once an hour. `after` is missing where no
   * newer session is known.
   */
  async function endedPart({ endedReadAt = '' }: SweepCursor) {
    const readBefore = Date.parse(endedReadAt) - ENDED_OVERLAP_MS
    const endedAfter = Number.isNaN(readBefore) ? '' : new Date(readBefore).toISOString()
    const { count, failed, first, last } = await checkouts.endedRange(endedAfter, ago(AFTER_EXPIRY_MS))
    if (first === undefined || last === undefined) return undefined
    if (count <= BATCH && (failed === 0 || endedReadAt > ago(ENDED_INTERVAL_MS))) return undefined
    const from = timeOfId(first) - CLICK_MS
    const [older, newer] = await Promise.all([
      checkouts.sessionNextTo(idPrefix(from), 'before'),
      checkouts.sessionNextTo(idPrefix(timeOfId(last) + CLICK_MS), 'after'),
    ])
    return { after: newer, until: older, since: new Date(from - CLOCK_SKEW_MS).toISOString() }
  }

  return plan
}
