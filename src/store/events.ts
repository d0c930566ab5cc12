import type { Kysely } from 'kysely'
import Type, { type Static } from 'typebox'
import { claim, contains, count, type Row, rowReader } from './rows.ts'

/** A webhook event that is not processed yet. */
const PendingEventSchema = Type.Object({
  id: Type.String(),
  /** Every text in its body that may be the id of a session, a payment intent or a checkout. */
  candidateIds: Type.Array(Type.String()),
  /** Times it was claimed, with this one. */
  attempts: Type.Integer(),
  /** ISO 8601. */
  receivedAt: Type.String(),
})
export type PendingEvent = Static<typeof PendingEventSchema>

export type EventsTable = Row<PendingEvent> & { state: 'pending' | 'done'; next_attempt_at: string }

const readEvent = rowReader(PendingEventSchema)

/** Webhook events. Their ids are stored, so that a second delivery changes nothing. Times are ISO 8601. */
export function eventQueries(db: Kysely<{ events: EventsTable }>, now: () => Date) {
  const pending = db.selectFrom('events').select('id').where('state', '=', 'pending')

  return {
    /**
     * Records an event that has just come in, as claimed by this process until `claimedUntil`: its first attempt.
     * `seen`: an event with this id was recorded before, and is not claimed.
     */
    async record(id: string, candidateIds: readonly string[], claimedUntil: string): Promise<'new' | 'seen'> {
      const inserted = await db
        .insertInto('events')
        .values({
          id,
          candidate_ids: JSON.stringify(candidateIds),
          state: 'pending',
          attempts: 1,
          next_attempt_at: claimedUntil,
          received_at: now().toISOString(),
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst()
      return inserted === undefined ? 'seen' : 'new'
    },

    /** Takes events that are due, so that no other process takes them before `until`. */
    async claimDue(limit: number, until: string): Promise<PendingEvent[]> {
      return (await claim(db, 'events', limit, now(), until)).map(readEvent)
    },

    recordDone: (id: string) =>
      db.updateTable('events').set({ state: 'done' }).where('id', '=', id).execute(),

    /** The event becomes due again at `at`. */
    recordRetry: (id: string, at: string) =>
      db.updateTable('events').set({ next_attempt_at: at }).where('id', '=', id).execute(),

    /** Whether an event that is not done has one of these among its candidate ids. */
    async hasPending(ids: readonly string[]): Promise<boolean> {
      const found = pending.where((event) =>
        event.or(ids.map((id) => contains('candidate_ids', JSON.stringify(id)))),
      )
      return (await found.executeTakeFirst()) !== undefined
    },

    /** How many events received after this time are not done. */
    countPending: (after: string) => count(db, pending.where('received_at', '>', after)),

    /** Deletes events received before this time. */
    prune: (before: string) => db.deleteFrom('events').where('received_at', '<', before).execute(),
  }
}
