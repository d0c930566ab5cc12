import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { AppError } from '../errors.ts'
import type { BackfillCursor } from './lease.ts'

/** Sessions on a page of Dots' list: the maximum that the API allows. */
const PAGE = 100
/**
 * Sessions up to a checkpoint are older than this. Each backfill of the sweep, also the hourly one that reaches back four
 * hours from the one before, begins later.
 */
const CHECKPOINT_AGE_MS = 6 * 3_600_000

/**
 * Reads the page of Dots' list after the cursor. `next` is the cursor after it, `isLast` is whether no page has to be
 * read after it: the list has ended, or it is sorted from new to old and the page reaches sessions older than `since`, or
 * the one that is the last of its part.
 *
 * The order of the list is not documented. One that is sorted from old to new grows at its end, so all up to the
 * checkpoint is skipped, after a look at the first page: a list in any other order begins with something else.
 *
 * @throws AppError dots-…
 */
export async function readPage(dots: DotsClient, cursor: BackfillCursor) {
  const { startingAfter } = cursor
  const { sessions, hasMore } = await dots.listCheckoutSessions({ limit: PAGE, startingAfter })
  const { id, created } = sessions.at(-1) ?? {}
  // A list that repeats a page would never end. It must not count as complete either.
  if (hasMore && id !== undefined && id === startingAfter) {
    throw new AppError('dots-invalid-response', { details: { list: 'the next page repeats this one' } })
  }
  const order = orderOf(sessions)
  const next: BackfillCursor = { ...cursor, startingAfter: id }
  if (order === 'newest-first') next.checkpoint = undefined
  if (startingAfter === undefined) next.newest = order === 'newest-first' ? sessions[0]?.created : undefined
  else if (order === 'mixed' || order === 'oldest-first') next.newest = undefined
  if (order === 'oldest-first' && id !== undefined && created !== undefined) {
    const { checkpoint } = cursor
    if (checkpoint && !startingAfter && created < checkpoint.created && checkpoint.created <= cursor.since) {
      next.startingAfter = checkpoint.sessionId
    } else if (Date.parse(created) < Date.parse(cursor.startedAt) - CHECKPOINT_AGE_MS) {
      next.checkpoint = { sessionId: id, created }
    }
  }
  const isBehind = created !== undefined && created < cursor.since
  const endsPart = cursor.until !== undefined && sessions.some((session) => session.id === cursor.until)
  const isPast = order === 'newest-first' && (isBehind || endsPart)
  if (hasMore && isPast && cursor.ended !== undefined) {
    const { after, until, since } = cursor.ended
    return {
      sessions,
      next: { ...next, startingAfter: after, until, since, ended: undefined },
      isLast: false,
    }
  }
  const isLast = !hasMore || isPast
  // The next page cannot be requested. If this counted as the end, checkouts on it would be set to `failed`.
  if (!isLast && id === undefined) {
    throw new AppError('dots-invalid-response', { details: { list: 'the last session has no id' } })
  }
  return { sessions, next, isLast }
}

/** The order of the sessions of a page; undefined where it cannot be told, since all times are equal. */
function orderOf(sessions: readonly Session[]): 'newest-first' | 'oldest-first' | 'mixed' | undefined {
  const times = sessions.map(({ created }) => Date.parse(created ?? ''))
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? Number.NaN))
  if (steps.every((step) => step === 0)) return undefined
  if (steps.every((step) => step <= 0)) return 'newest-first'
  return steps.every((step) => step >= 0) ? 'oldest-first' : 'mixed'
}
