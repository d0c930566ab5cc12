import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Checkout, type CheckoutsTable, readCheckout } from './checkout.ts'
import { count, prepared } from './rows.ts'
import { MAX_ROWS } from './store.ts'

/** Which open checkouts are to be checked. Times are ISO 8601. */
export interface Overdue {
  /** Their session ended before this time. */
  endedBefore: string
  /** No session can end after this time: an expiry beyond it was computed with a wrong clock. */
  latestExpiry: string
  /** They were last checked before this time: one for each number of failed checks in a row, the last one for all more. */
  checkedBefore: readonly string[]
}

export interface OverdueCheckout extends Checkout {
  checkFailures: number
  /** ISO 8601. */
  lastCheckedAt: string | null
}

const checked = prepared(
  (
    db: Kysely<{ checkouts: CheckoutsTable }>,
    id: string,
    check_failures: number,
    last_checked_at: string | null,
  ) => db.updateTable('checkouts').set({ last_checked_at, check_failures }).where('id', '=', id),
)

/** The queries of the sweep: checkouts whose outcome is not recorded yet. Changes of many rows make {@link MAX_ROWS} at most. */
export function unsettledCheckouts(db: Kysely<{ checkouts: CheckoutsTable }>, now: () => Date) {
  const checkouts = db.selectFrom('checkouts').selectAll()

  /** Changes some of the checkouts that meet `condition`; resolves to how many. */
  async function changeSome(change: Partial<CheckoutsTable>, condition: RawBuilder<boolean>) {
    const some = db.selectFrom('checkouts').select('id').where(condition).limit(MAX_ROWS)
    const { numUpdatedRows } = await db
      .updateTable('checkouts')
      .set(change)
      .where('id', 'in', some)
      // As in `claim`: checked again for each row, but not by an index.
      .where(sql<boolean>`${condition} is true`)
      .executeTakeFirst()
    return Number(numUpdatedRows)
  }

  const changed = (state: CheckoutsTable['state'], failure?: string) => ({
    state,
    failure,
    updated_at: now().toISOString(),
  })

  function isOverdue({ endedBefore, latestExpiry, checkedBefore }: Overdue): RawBuilder<boolean> {
    const cases = checkedBefore.map((time, failures) => sql`when check_failures <= ${failures} then ${time}`)
    // A check in the future was recorded with a wrong clock.
    return sql`(state = 'open' and session_id is not null
      and (expires_at < ${endedBefore} or expires_at > ${latestExpiry})
      and (last_checked_at is null or last_checked_at > ${now().toISOString()}
        or last_checked_at < case ${sql.join(cases, sql` `)} else ${checkedBefore.at(-1)} end))`
  }

  return {
    /** Those with the fewest failed checks first, and of them those that ended first. */
    async overdue(overdue: Overdue, limit: number): Promise<OverdueCheckout[]> {
      const rows = await checkouts
        .where(isOverdue(overdue))
        .orderBy('check_failures')
        .orderBy('expires_at')
        .limit(limit)
        .execute()
      return rows.map((row) => ({
        ...readCheckout(row),
        checkFailures: row.check_failures,
        lastCheckedAt: row.last_checked_at,
      }))
    },

    /**
     * The open checkouts whose sessions should have ended between `after` and `before` (ISO 8601): how many, how many of
     * them could not be checked, and the ids of those that were made first and last. Looks through all of them. The random
     * ids of earlier versions say no time, and are left out.
     */
    async endedRange(after: string, before: string) {
      const row = await db
        .selectFrom('checkouts')
        .where('state', '=', 'open')
        .where('expires_at', '>=', after)
        .where('expires_at', '<', before)
        .where('session_id', 'is not', null)
        .where(sql<boolean>`length(id) = 44`)
        .select([
          sql<number>`count(*)`.as('total'),
          sql<number | null>`sum(case when check_failures > 0 then 1 else 0 end)`.as('failed'),
          sql<string | null>`min(id)`.as('first'),
          sql<string | null>`max(id)`.as('last'),
        ])
        .executeTakeFirst()
      const { total = 0, failed, first, last } = row ?? {}
      return {
        count: Number(total),
        failed: Number(failed ?? 0),
        first: first ?? undefined,
        last: last ?? undefined,
      }
    },

    /** The session of the checkout whose id is next to `id` in the order of ids. */
    async sessionNextTo(id: string, side: 'before' | 'after'): Promise<string | undefined> {
      const row = await db
        .selectFrom('checkouts')
        .select('session_id')
        .where('id', side === 'after' ? '>=' : '<=', id)
        .where('session_id', 'is not', null)
        .where(sql<boolean>`length(id) = 44`)
        .orderBy('id', side === 'after' ? 'asc' : 'desc')
        .limit(1)
        .executeTakeFirst()
      return row?.session_id ?? undefined
    },

    /** How many checkouts were created since then (ISO 8601), counted up to `limit`. */
    async countSince(since: string, limit: number): Promise<number> {
      return count(db, db.selectFrom('checkouts').select('id').where('created_at', '>=', since).limit(limit))
    },

    /**
     * Checkouts created before `before` (ISO 8601) whose session is not known, the oldest first. An open one without a
     * session id is included only until a backfill has looked for it after its expiry.
     */
    async unresolved(before: string, limit: number): Promise<Checkout[]> {
      const rows = await checkouts
        .where(
          sql<boolean>`(state in ('creating', 'unknown')
            or (state = 'open' and session_id is null and last_checked_at is null))`,
        )
        .where(sql<boolean>`(created_at < ${before} or created_at > ${now().toISOString()})`)
        .orderBy('created_at')
        .limit(limit)
        .execute()
      return rows.map(readCheckout)
    },

    /** Records a check at `at` (ISO 8601; null: none), and how many have failed in a row. The checkout stays as it is. */
    recordCheck: (id: string, failures: number, at: string | null = now().toISOString()) =>
      checked(db, id, failures, at),

    /** `creating | open | unknown → expired` for all of these. */
    recordExpiries: (ids: readonly string[]) =>
      changeSome(
        changed('expired'),
        sql`(id in (${sql.join(ids)}) and state in ('creating', 'open', 'unknown'))`,
      ),

    /** After a complete backfill from `since`: those of which it has found no session, created before `before`. */
    failUnresolved: (since: string, before: string) =>
      changeSome(
        changed('failed', 'never-opened'),
        sql`(state in ('creating', 'unknown') and created_at >= ${since}
          and (created_at < ${before} or created_at > ${now().toISOString()}))`,
      ),

    /** After a complete backfill from `since`: `open → expired` for those that ended before `before`. */
    expireForgotten: (since: string, before: string) =>
      changeSome(
        changed('expired'),
        sql`(state = 'open' and expires_at < ${before} and (created_at >= ${since} or session_id is null))`,
      ),

    /** `expired → open`, to be checked again, for those that have expired after `after`, which is in the future. */
    reopenExpired: (after: string) =>
      changeSome(
        { ...changed('open'), last_checked_at: null, check_failures: 0 },
        // Under a clock that is behind everything is in the future, what was created as well.
        sql`(state = 'expired' and session_id is not null and updated_at > ${after}
          and created_at <= ${now().toISOString()})`,
      ),

    /** After a complete backfill from `since`: those without a session id that ended before `before` count as checked. */
    markLookedFor: (since: string, before: string) =>
      changeSome(
        { last_checked_at: now().toISOString() },
        sql`(state = 'open' and session_id is null and last_checked_at is null
          and expires_at < ${before} and created_at >= ${since})`,
      ),
  }
}
