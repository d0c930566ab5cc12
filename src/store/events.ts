import { type Kysely, sql } from 'kysely'
import Type, { type Static } from 'typebox'
import { claim, deleteSome, prepared, type Row, rowReader } from './rows.ts'
import { MAX_ROWS } from './store.ts'

/** A webhook event that is not processed yet. */
const PendingEventSchema = Type.Object({
  id: Type.String(),
  /** Every text in its body that may be the id of a session, a payment intent or a checkout. */
  candidateIds: Type.Array(Type.String()),
  /** Times it was claimed, with this one. */
  attempts: Type.Integer(),
})
export type PendingEvent = Static<typeof PendingEventSchema>

export type EventsTable = Row<PendingEvent> & {
  state: 'pending' | 'done'
  next_attempt_at: string
  received_at: string
}

const readEvent = rowReader(PendingEventSchema)

/** Longer than an event waits for its next attempt, which is an hour. */
const MAX_PAUSE_MS = 2 * 3_600_000

const received = prepared(
  (
    db: Kysely<{ events: EventsTable }>,
    id: string,
    candidate_ids: string,
    next_attempt_at: string,
    received_at: string,
  ) =>
    db
      .insertInto('events')
      .values({ id, candidate_ids, state: 'pending', attempts: 1, next_attempt_at, received_at })
      .onConflict((conflict) => conflict.column('id').doNothing()),
)

/** Webhook events. Their ids are stored, so that a second delivery changes nothing. Times are ISO 8601. */
export function eventQueries(db: Kysely<{ events: EventsTable }>, now: () => Date) {
  return {
    /**
     * Records an event that has just come in, as claimed by this process until `claimedUntil`: its first attempt.
     * `seen`: an event with this id was recorded before, and is not claimed.
     */
    async record(id: string, candidateIds: readonly string[], claimedUntil: string): Promise<'new' | 'seen'> {
      const ids = JSON.stringify(candidateIds)
      const { numAffectedRows } = await received(db, id, ids, claimedUntil, now().toISOString())
      return numAffectedRows === 1n ? 'new' : 'seen'
    },

    /** Takes events that are due, so that no other process takes them before `until`. */
    async claimDue(limit: number, until: string): Promise<PendingEvent[]> {
      const claimed = await claim(db, 'events', { limit, now: now(), until, maxPauseMs: MAX_PAUSE_MS })
      return claimed.map(readEvent)
    },

    recordDone: (ids: readonly string[]) =>
      db.updateTable('events').set({ state: 'done' }).where('id', 'in', ids).execute(),

    /** The events become due again at `at`. `isCounted`: whether the attempt that has just ended counts as one. */
    recordRetry: (ids: readonly string[], at: string, isCounted = true) =>
      db
        .updateTable('events')
        .set({ next_attempt_at: at, ...(!isCounted && { attempts: sql`attempts - 1` }) })
        .where('id', 'in', ids)
        .execute(),

    /** The candidate ids of all events that are stored, done or not, a page at a time: `after` is the last event's id. */
    async named(after = ''): Promise<{ candidateIds: string[]; next: string | undefined }> {
      const rows = await db
        .selectFrom('events')
        .select(['id', 'candidate_ids', 'attempts'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(MAX_ROWS)
        .execute()
      return {
        candidateIds: rows.flatMap((row) => readEvent(row).candidateIds),
        next: rows.length < MAX_ROWS ? undefined : rows.at(-1)?.id,
      }
    },

    /** Deletes some of the events that are done and were received before this time, or after now; resolves to how many. */
    prune: (before: string) =>
      deleteSome(
        db,
        'events',
        'id',
        // `state = 'done'` would be looked up in the index of states, where nearly all events are.
        sql`(state <> 'pending' and (received_at < ${before} or received_at > ${now().toISOString()}))`,
      ),
  }
}
