import type { Kysely } from 'kysely'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { claim } from './store.ts'

/** The type of the announcement that is written with a completion. */
export const COMPLETED = 'checkout.completed'

/** `held`: sent only where a person asks for it. `failed`: given up after the last attempt. */
export const ANNOUNCEMENT_STATES = ['pending', 'delivered', 'failed', 'held'] as const

/** One message to the merchant's own system. `body` is the exact text that is signed and sent. */
export const AnnouncementSchema = Type.Object({
  id: Type.String(),
  checkoutId: Type.String(),
  body: Type.String(),
  state: Type.Enum(ANNOUNCEMENT_STATES),
  /** Attempts to deliver it, with this one. */
  attempts: Type.Integer(),
  lastError: Type.Union([Type.String(), Type.Null()]),
})
export type Announcement = Static<typeof AnnouncementSchema>

export type NewAnnouncement = Pick<Announcement, 'id' | 'body'> & { state: 'pending' | 'held' }

const AnnouncementStatusSchema = Type.Pick(AnnouncementSchema, ['state', 'lastError'])
export type AnnouncementStatus = Static<typeof AnnouncementStatusSchema>

export type AnnouncementsTable = {
  id: string
  checkout_id: string
  /** A checkout has at most one announcement of each type. */
  type: string
  body: string
  state: string
  attempts: number
  next_attempt_at: string
  last_error: string | null
  created_at: string
  delivered_at: string | null
}

const announcementValidator = Compile(AnnouncementSchema)
const statusValidator = Compile(AnnouncementStatusSchema)

function fromRow(row: AnnouncementsTable): Announcement {
  return announcementValidator.Parse({
    id: row.id,
    checkoutId: row.checkout_id,
    body: row.body,
    state: row.state,
    attempts: row.attempts,
    lastError: row.last_error,
  })
}

/** The state of an announcement that was joined to another row; `undefined` where that has none. */
export function statusFromRow(
  state: string | null,
  lastError: string | null,
): AnnouncementStatus | undefined {
  return state === null ? undefined : statusValidator.Parse({ state, lastError })
}

/** The announcements of paid orders, written in the transaction of the completion and delivered afterwards. */
export function outboxQueries(db: Kysely<{ announcements: AnnouncementsTable }>, now: () => Date) {
  return {
    /** Takes announcements that are due, so that no other process sends them before `until` (ISO 8601). */
    async claimDue(limit: number, until: string): Promise<Announcement[]> {
      return (await claim<AnnouncementsTable>('announcements', limit, now(), until).execute(db)).rows.map(
        fromRow,
      )
    },

    async recordDelivered(id: string): Promise<void> {
      await db
        .updateTable('announcements')
        .set({ state: 'delivered', delivered_at: now().toISOString(), last_error: null })
        .where('id', '=', id)
        .execute()
    },

    /**
     * `retryAt` (ISO 8601) undefined: given up. Nothing is recorded of an attempt that is no longer the last one.
     */
    async recordUndelivered(
      { id, attempts }: Pick<Announcement, 'id' | 'attempts'>,
      reason: string,
      retryAt: string | undefined,
    ): Promise<void> {
      await db
        .updateTable('announcements')
        .set({
          state: retryAt === undefined ? 'failed' : 'pending',
          next_attempt_at: retryAt,
          last_error: reason,
        })
        .where('id', '=', id)
        .where('state', '=', 'pending')
        .where('attempts', '=', attempts)
        .execute()
    },

    /** The announcement of a checkout, whatever its state. */
    async find(checkoutId: string, type: string = COMPLETED): Promise<Announcement | undefined> {
      const row = await db
        .selectFrom('announcements')
        .selectAll()
        .where('checkout_id', '=', checkoutId)
        .where('type', '=', type)
        .executeTakeFirst()
      return row && fromRow(row)
    },

    /** Sends one that is held; false where there is none. */
    async release(checkoutId: string, type: string = COMPLETED): Promise<boolean> {
      const result = await queue(checkoutId, type).where('state', '=', 'held').executeTakeFirst()
      return result.numUpdatedRows > 0n
    },

    /** Sends it once more, from the first attempt on. `unknown`: the checkout has no announcement. */
    async resend(checkoutId: string, type: string = COMPLETED): Promise<'queued' | 'unknown'> {
      const result = await queue(checkoutId, type).executeTakeFirst()
      return result.numUpdatedRows > 0n ? 'queued' : 'unknown'
    },
  }

  function queue(checkoutId: string, type: string) {
    return db
      .updateTable('announcements')
      .set({ state: 'pending', attempts: 0, next_attempt_at: now().toISOString(), last_error: null })
      .where('checkout_id', '=', checkoutId)
      .where('type', '=', type)
  }
}
