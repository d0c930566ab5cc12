import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { DotsClient } from '../dots/client.ts'
import type { Session } from '../dots/messages.ts'
import { AppError } from '../errors.ts'

const PAGE = 100

/** Where a walk through Dots' list stands; written down after each page, so that it goes on there after a restart. */
export const WalkSchema = Type.Object({
  /** ISO 8601; what was made before is of no interest. */
  since: Type.String(),
  startedAt: Type.String(),
  startingAfter: Type.Optional(Type.Union([Type.String(), Type.Undefined()])),
})
export type Walk = Static<typeof WalkSchema>

const walkValidator = Compile(WalkSchema)

/** Reads a walk that was written down; undefined for anything else. */
export function parseWalk(note: string | undefined): Walk | undefined {
  if (note === undefined) return undefined
  try {
    const walk: unknown = JSON.parse(note)
    return walkValidator.Check(walk) ? walk : undefined
  } catch {
    return undefined
  }
}

/**
 * Reads the next page of a walk. `next` is undefined at its end: where the list ends, or where it is seen to run from
 * new to old and has come to what is of no interest. The order is not documented, so a list that runs the other way
 * is walked to its end.
 *
 * @throws DotsError
 */
export async function nextPage(
  dots: DotsClient,
  walk: Walk,
): Promise<{ sessions: Session[]; next: Walk | undefined }> {
  const page = await dots.listCheckoutSessions({
    limit: PAGE,
    startingAfter: walk.startingAfter,
  })
  const last = page.sessions.at(-1)
  // The same page for ever would be no walk, and must not pass for one that has come to its end.
  if (page.hasMore && last?.id !== undefined && last.id === walk.startingAfter) {
    throw new AppError('dots-invalid-response', { details: { list: 'does not go on' } })
  }
  if (!page.hasMore || isPast(page.sessions, walk.since)) return { sessions: page.sessions, next: undefined }
  // There is more, and no way to it: to take this for the end would give up on checkouts that nobody has looked for.
  if (last?.id === undefined)
    throw new AppError('dots-invalid-response', { details: { list: 'the last one has no id' } })
  return { sessions: page.sessions, next: { ...walk, startingAfter: last.id } }
}

function isPast(sessions: readonly Session[], since: string): boolean {
  const times = sessions.map(({ created }) => Date.parse(created ?? ''))
  const newestFirst = times.every((time, index) => index === 0 || time <= (times[index - 1] ?? Number.NaN))
  const [first = Number.NaN] = times
  const last = times.at(-1) ?? Number.NaN
  // Sessions of one moment tell nothing of the order.
  return newestFirst && first > last && last < Date.parse(since)
}
