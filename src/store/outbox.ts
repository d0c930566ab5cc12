import { type Kysely, sql, type Updateable } from 'kysely'
import Type, { type Static } from 'typebox'
import { claim, contains, type Row, rowReader } from './rows.ts'

/** The type of the announcement that is written with a completion. */
export const COMPLETED = 'checkout.completed'

/** One message to the merchant's own system. What is sent also has the amount paid and the flags of the checkout. */
const AnnouncementSchema = Type.Object({
  id: Type.String(),
  checkoutId: Type.String(),
  body: Type.String(),
  /**
   * `held`: waits for a person. `none`: there was nobody to tell when it was paid. Both are sent only where a person asks
   * for it. `failed`: the last attempt has failed.
   */
  state: Type.Enum(['pending', 'delivered', 'failed', 'held', 'none']),
  /** Attempts to deliver it, with this one. */
  attempts: Type.Integer(),
  lastError: Type.Union([Type.String(), Type.Null()]),
  /** ISO 8601. */
  createdAt: Type.String(),
})
export type Announcement = Static<typeof AnnouncementSchema>
export type AnnouncementStatus = Pick<Announcement, 'state' | 'lastError'>

export type AnnouncementsTable = Row<Announcement> & {
  /** A checkout has at most one announcement of each type. */
  type: string
  next_attempt_at: string
  delivered_at: string | null
}

/** Longer than the longest pause between two attempts to deliver an announcement: ten hours, and a random part. */
const MAX_PAUSE_MS = 12 * 3_600_000

/** Each with an index of its own, so that neither is looked for among the others. */
const ATTEMPTS = { first: sql`attempts = 0`, retry: sql`attempts > 0` }
/** Of announcements that were never sent, or of those whose last attempt has failed or was cut off. */
export type AttemptKind = keyof typeof ATTEMPTS

const readAnnouncement = rowReader(AnnouncementSchema)
export const readAnnouncementStatus = rowReader(Type.Pick(AnnouncementSchema, ['state', 'lastError']))

/** The announcements of paid orders, written in the transaction of the completion and delivered afterwards. */
export function outboxQueries(db: Kysely<{ announcements: AnnouncementsTable }>, now: () => Date) {
  const update = (change: Updateable<AnnouncementsTable>) => db.updateTable('announcements').set(change)
  /** Due now, from the first attempt on. */
  const requeue = (checkoutId: string) =>
    update({ state: 'pending', attempts: 0, next_attempt_at: now().toISOString(), last_error: null })
      .where('checkout_id', '=', checkoutId)
      .where('type', '=', COMPLETED)

  return {
    /** Takes announcements that are due, so that no other process sends them before `until` (ISO 8601). */
    async claimDue(limit: number, until: string, kind?: AttemptKind): Promise<Announcement[]> {
      const condition = kind && ATTEMPTS[kind]
      const options = { limit, now: now(), until, maxPauseMs: MAX_PAUSE_MS, condition }
      return (await claim(db, 'announcements', options)).map(readAnnouncement)
    },

    /** Takes a claim back: it was no attempt, and the announcement is due at `at` (ISO 8601). */
    postpone: ({ id, attempts }: Pick<Announcement, 'id' | 'attempts'>, at: string) =>
      update({ next_attempt_at: at, attempts: attempts - 1 })
        .where('id', '=', id)
        .where('state', '=', 'pending')
        .where('attempts', '=', attempts)
        .execute(),

    recordDelivered: (id: string) =>
      update({ state: 'delivered', delivered_at: now().toISOString(), last_error: null })
        .where('id', '=', id)
        .execute(),

    /** `retryAt` is ISO 8601; undefined: no further attempt. The result of an attempt before the last one is ignored. */
    recordUndelivered: (
      { id, attempts }: Pick<Announcement, 'id' | 'attempts'>,
      reason: string,
      retryAt: string | undefined,
    ) =>
      update({
        state: retryAt === undefined ? 'failed' : 'pending',
        next_attempt_at: retryAt,
        last_error: reason,
      })
        .where('id', '=', id)
        .where('state', '=', 'pending')
        .where('attempts', '=', attempts)
        .execute(),

    /** Sends one that is held because its order was restored; false where there is none. A wrong amount stays held. */
    async release(checkoutId: string): Promise<boolean> {
      const { numUpdatedRows } = await requeue(checkoutId)
        .where('state', '=', 'held')
        .where(
          sql<boolean>`not exists
            (select 1 from checkouts where id = checkout_id and ${contains('flags', '"amount-mismatch"')})`,
        )
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    /** Sends it once more. `unknown`: the checkout has no announcement. */
    async resend(checkoutId: string): Promise<'queued' | 'unknown'> {
      const { numUpdatedRows } = await requeue(checkoutId).executeTakeFirst()
      return numUpdatedRows > 0n ? 'queued' : 'unknown'
    },
  }
}
