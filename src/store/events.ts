import type { Kysely, Transaction } from 'kysely'
import type { Step } from './step.ts'
import type { EventStore, PendingEvent } from './store.ts'
import type { EventsTable, Tables } from './tables.ts'

/** The queries behind {@link EventStore}. */
export function eventQueries(db: Kysely<Tables>, step: Step, now: () => Date): EventStore {
  /** The update decides who gets an event: of two processes that read the same row only one moves its time on. */
  async function take(on: Transaction<Tables>, rows: EventsTable[], until: string): Promise<PendingEvent[]> {
    const taken: PendingEvent[] = []
    for (const row of rows) {
      const result = await on
        .updateTable('events')
        .set({ next_attempt_at: until, attempts: row.attempts + 1 })
        .where('id', '=', row.id)
        .where('state', '=', 'pending')
        .where('attempts', '=', row.attempts)
        .executeTakeFirst()
      if (result.numUpdatedRows > 0n) taken.push(fromRow({ ...row, attempts: row.attempts + 1 }))
    }
    return taken
  }

  function due(on: Transaction<Tables>) {
    return on
      .selectFrom('events')
      .selectAll()
      .where('state', '=', 'pending')
      .where('next_attempt_at', '<=', now().toISOString())
  }

  return {
    recordEvent(id: string, hints: readonly string[]) {
      const at = now().toISOString()
      return step(async () => {
        const result = await db
          .insertInto('events')
          .values({
            id,
            hints: JSON.stringify(hints),
            state: 'pending',
            attempts: 0,
            next_attempt_at: at,
            received_at: at,
          })
          .onConflict((conflict) => conflict.column('id').doNothing())
          .executeTakeFirst()
        return (result.numInsertedOrUpdatedRows ?? 0n) > 0n ? 'new' : 'seen'
      })
    },

    claimDue(limit: number, until: string): Promise<PendingEvent[]> {
      return step(() =>
        db.transaction().execute(async (transaction) => {
          const rows = await due(transaction).orderBy('next_attempt_at').limit(limit).execute()
          return take(transaction, rows, until)
        }),
      )
    },

    claim(id: string, until: string): Promise<PendingEvent | undefined> {
      return step(() =>
        db.transaction().execute(async (transaction) => {
          const rows = await due(transaction).where('id', '=', id).execute()
          return (await take(transaction, rows, until))[0]
        }),
      )
    },

    recordDone(id: string): Promise<void> {
      return step(async () => {
        await db.updateTable('events').set({ state: 'done' }).where('id', '=', id).execute()
      })
    },

    recordRetry(id: string, at: string): Promise<void> {
      return step(async () => {
        await db.updateTable('events').set({ next_attempt_at: at }).where('id', '=', id).execute()
      })
    },

    hasPending(hints: readonly string[]): Promise<boolean> {
      return step(async () => {
        if (hints.length === 0) return false
        const row = await db
          .selectFrom('events')
          .select('id')
          .where('state', '=', 'pending')
          .where((event) => event.or(hints.map((hint) => event('hints', 'like', `%${likeText(hint)}%`))))
          .executeTakeFirst()
        return row !== undefined
      })
    },

    countPending(after: string): Promise<number> {
      return step(async () => {
        const { events } = await db
          .selectFrom('events')
          .select((row) => row.fn.countAll<number | bigint | string>().as('events'))
          .where('state', '=', 'pending')
          .where('received_at', '>', after)
          .executeTakeFirstOrThrow()
        return Number(events)
      })
    },

    prune(before: string): Promise<void> {
      return step(async () => {
        await db.deleteFrom('events').where('received_at', '<', before).execute()
      })
    },
  }
}

/** Ids are letters, digits and dashes; anything else would be a pattern of its own, and matches nothing here. */
function likeText(hint: string): string {
  return JSON.stringify(hint.replace(/[%_\\]/g, ''))
}

function fromRow(row: EventsTable): PendingEvent {
  const hints: unknown = JSON.parse(row.hints)
  return {
    id: row.id,
    hints: Array.isArray(hints) ? hints.filter((hint) => typeof hint === 'string') : [],
    attempts: row.attempts,
    receivedAt: row.received_at,
  }
}
