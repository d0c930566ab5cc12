import type { Kysely } from 'kysely'
import { type Announcement, parseAnnouncement } from './announcement.ts'
import type { Step } from './step.ts'
import type { Attempt, Outbox } from './store.ts'
import type { AnnouncementsTable, Tables } from './tables.ts'

/** The queries behind {@link Outbox}. */
export function outboxQueries(db: Kysely<Tables>, step: Step, now: () => Date): Outbox {
  return {
    claimDue(limit: number, until: string): Promise<Announcement[]> {
      return step(() =>
        db.transaction().execute(async (transaction) => {
          const rows = await transaction
            .selectFrom('announcements')
            .selectAll()
            .where('state', '=', 'pending')
            .where('next_attempt_at', '<=', now().toISOString())
            .orderBy('next_attempt_at')
            .limit(limit)
            .execute()
          const claimed: Announcement[] = []
          for (const row of rows) {
            const attempts = row.attempts + 1
            const result = await transaction
              .updateTable('announcements')
              .set({ next_attempt_at: until, attempts })
              .where('id', '=', row.id)
              .where('state', '=', 'pending')
              .where('attempts', '=', row.attempts)
              .executeTakeFirst()
            if (result.numUpdatedRows > 0n) claimed.push(fromRow({ ...row, attempts }))
          }
          return claimed
        }),
      )
    },

    recordDelivered(id: string): Promise<void> {
      return step(async () => {
        await db
          .updateTable('announcements')
          .set({ state: 'delivered', delivered_at: now().toISOString(), last_error: null })
          .where('id', '=', id)
          .execute()
      })
    },

    recordUndelivered({ id, attempts }: Attempt, reason: string, retryAt: string | undefined): Promise<void> {
      return step(async () => {
        await db
          .updateTable('announcements')
          .set(
            retryAt === undefined
              ? { state: 'failed', last_error: reason }
              : { next_attempt_at: retryAt, last_error: reason },
          )
          .where('id', '=', id)
          .where('state', '=', 'pending')
          .where('attempts', '=', attempts)
          .execute()
      })
    },

    find(checkoutId: string): Promise<Announcement | undefined> {
      return step(async () => {
        const row = await db
          .selectFrom('announcements')
          .selectAll()
          .where('checkout_id', '=', checkoutId)
          .executeTakeFirst()
        return row === undefined ? undefined : fromRow(row)
      })
    },

    release(checkoutId: string): Promise<boolean> {
      return step(async () => {
        const result = await db
          .updateTable('announcements')
          .set({ state: 'pending', attempts: 0, next_attempt_at: now().toISOString() })
          .where('checkout_id', '=', checkoutId)
          .where('state', '=', 'held')
          .executeTakeFirst()
        return result.numUpdatedRows > 0n
      })
    },

    resend(checkoutId: string) {
      return step(async () => {
        const result = await db
          .updateTable('announcements')
          .set({ state: 'pending', attempts: 0, next_attempt_at: now().toISOString(), last_error: null })
          .where('checkout_id', '=', checkoutId)
          .executeTakeFirst()
        return result.numUpdatedRows > 0n ? 'queued' : 'unknown'
      })
    },
  }
}

function fromRow(row: AnnouncementsTable): Announcement {
  return parseAnnouncement({
    id: row.id,
    checkoutId: row.checkout_id,
    body: row.body,
    state: row.state,
    attempts: row.attempts,
    lastError: row.last_error,
  })
}
