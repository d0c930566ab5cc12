import type { Kysely } from 'kysely'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { claim, contains } from './store.ts'

/** A webhook event that has not led to an answer of Dots yet. */
export interface PendingEvent {
  id: string
  /** Every text in its body that may be the id of a session, a payment intent or a checkout. */
  candidateIds: readonly string[]
  /** Times it was claimed, with this one. */
  attempts: number
  /** ISO 8601. */
  receivedAt: string
}

export type EventsTable = {
  id: string
  /** A JSON array. */
  candidate_ids: string
  state: string
  attempts: number
  next_attempt_at: string
  received_at: string
}

const idsValidator = Compile(Type.Array(Type.String()))

/** Webhook events, kept by their ids so that a second delivery changes nothing. */
export function eventQueries(db: Kysely<{ events: EventsTable }>, now: () => Date) {
  return {
    /**
     * Records an event that has just come in, as claimed by this process until `claimedUntil` (ISO 8601): its first
     * attempt. `seen`: an event with this id was recorded before, and is not claimed.
     */
    async record(id: string, candidateIds: readonly string[], claimedUntil: string): Promise<'new' | 'seen'> {
      const result = await db
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
        .executeTakeFirst()
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n ? 'new' : 'seen'
    },

    /** Takes events that are due, so that no other process takes them before `until` (ISO 8601). */
    async claimDue(limit: number, until: string): Promise<PendingEvent[]> {
      const { rows } = await claim<EventsTable>('events', limit, now(), until).execute(db)
      return rows.map((row) => ({
        id: row.id,
        candidateIds: idsValidator.Parse(JSON.parse(row.candidate_ids)),
        attempts: row.attempts,
        receivedAt: row.received_at,
      }))
    },

    async recordDone(id: string): Promise<void> {
      await db.updateTable('events').set({ state: 'done' }).where('id', '=', id).execute()
    },

    /** The event becomes due again at `at` (ISO 8601). */
    async recordRetry(id: string, at: string): Promise<void> {
      await db.updateTable('events').set({ next_attempt_at: at }).where('id', '=', id).execute()
    },

    /** Whether an event that is not done has one of these among its candidate ids. */
    async hasPending(ids: readonly string[]): Promise<boolean> {
      if (ids.length === 0) return false
      const row = await db
        .selectFrom('events')
        .select('id')
        .where('state', '=', 'pending')
        .where((event) => event.or(ids.map((id) => contains('candidate_ids', JSON.stringify(id)))))
        .executeTakeFirst()
      return row !== undefined
    },

    /** How many events received after this time (ISO 8601) are not done. */
    async countPending(after: string): Promise<number> {
      const { events } = await db
        .selectFrom('events')
        .select((row) => row.fn.countAll<number | bigint | string>().as('events'))
        .where('state', '=', 'pending')
        .where('received_at', '>', after)
        .executeTakeFirstOrThrow()
      return Number(events)
    },

    /** Deletes events received before this time (ISO 8601). */
    async prune(before: string): Promise<void> {
      await db.deleteFrom('events').where('received_at', '<', before).execute()
    },
  }
}
