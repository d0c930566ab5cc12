import { type Kysely, sql } from 'kysely'
import Type, { type Static } from 'typebox'
import { type Checkout, type ClickValues, openedRow, type PurchaseKey } from './checkout.ts'
import { type CheckoutTables, reusableCheckout } from './checkout-lookups.ts'
import { insertCheckout, unlessKnown } from './checkout-writes.ts'
import { deleteSome, prepared, type Row, rowReader } from './rows.ts'
import { MAX_ROWS } from './store.ts'

const Nullable = Type.Union([Type.String(), Type.Null()])
/** A session that was made ahead of its click. It is no checkout before it is handed out. Times are ISO 8601. */
const WarmSessionSchema = Type.Object({
  /** The id that its checkout will have. */
  id: Type.String(),
  sku: Type.String(),
  /** What it sells under which terms, as a hash: only a click on the same gets it. */
  offer: Type.String(),
  sessionId: Nullable,
  paymentIntentId: Nullable,
  checkoutUrl: Type.String(),
  createdAt: Type.String(),
  /** Until then it is handed out, so that its buyer has at least half of its life left. */
  usableUntil: Type.String(),
  expiresAt: Type.String(),
})
export type WarmSession = Static<typeof WarmSessionSchema>

export type WarmTables = CheckoutTables & {
  warm_sessions: Row<WarmSession>
  /** Clicks on the plain link of a product in one minute (`2026-01-31T12:00`). */
  clicks: { sku: string; minute: string; clicks: number }
}

/** Sessions of one offer that can be handed out. */
export interface WarmStock {
  sku: string
  offer: string
  count: number
}

/** What a click got: the browser's own live checkout, or a session that was made ahead, with the id of its checkout. */
export interface HandedOut {
  reused?: Checkout
  taken?: { id: string; checkoutUrl: string }
}

const TakenSchema = Type.Pick(WarmSessionSchema, [
  'id',
  'sessionId',
  'paymentIntentId',
  'checkoutUrl',
  'expiresAt',
])
const readTaken = rowReader(TakenSchema)

/** A session from further ahead than the clocks of two processes differ was made under a wrong clock. */
const MAX_AHEAD_MS = 60_000
const MINUTE_LENGTH = '2026-01-31T12:00'.length

const taken = prepared((_db: Kysely<WarmTables>, offer: string, at: string, latest: string) => {
  const oldest = sql`select usable_until, id from warm_sessions where offer = ${offer} and usable_until > ${at}
    and created_at <= ${latest} order by usable_until limit 1`
  return sql<Row<Static<typeof TakenSchema>>>`delete from warm_sessions
    where offer = ${offer} and (usable_until, id) = (${oldest})
    returning id, session_id, payment_intent_id, checkout_url, expires_at`
})

/** Sessions made ahead, and the clicks that tell how many are needed. */
export function warmQueries(db: Kysely<WarmTables>, now: () => Date) {
  const minuteOf = (at: Date) => at.toISOString().slice(0, MINUTE_LENGTH)
  const latest = () => new Date(now().getTime() + MAX_AHEAD_MS).toISOString()

  return {
    async add({
      sessionId: session_id,
      paymentIntentId: payment_intent_id,
      checkoutUrl: checkout_url,
      createdAt: created_at,
      usableUntil: usable_until,
      expiresAt: expires_at,
      ...rest
    }: WarmSession): Promise<void> {
      const times = { created_at, usable_until, expires_at }
      await db
        .insertInto('warm_sessions')
        .values({ ...rest, session_id, payment_intent_id, checkout_url, ...times })
        .execute()
    },

    /**
     * Hands out a session for a click: one statement takes it from the others, so nobody else gets it, and its checkout is
     * written in the same transaction. Undefined where there is none.
     *
     * `mayHave`: the browser may have a live checkout for this purchase, and gets that one again.
     */
    async handOut(offer: string, click: ClickValues, mayHave?: PurchaseKey): Promise<HandedOut | undefined> {
      const reused = mayHave && (await reusableCheckout(db, mayHave, now()))
      if (reused !== undefined) return { reused }
      const at = now()
      const times = [at.toISOString(), latest()] as const
      for (;;) {
        const { rows } = await taken(db, offer, ...times)
        if (rows[0] === undefined) return undefined
        const { id, sessionId, paymentIntentId, checkoutUrl, expiresAt } = readTaken(rows[0])
        const session = {
          sessionId: sessionId ?? undefined,
          paymentIntentId: paymentIntentId ?? undefined,
          checkoutUrl,
          expiresAt,
        }
        const opened = openedRow(session, at)
        // A database that was put back from a copy may have sessions that were handed out before.
        if (await insertCheckout(db, id, click, opened, unlessKnown, at)) {
          return { taken: { id, checkoutUrl } }
        }
      }
    },

    async isEmpty(): Promise<boolean> {
      return (await db.selectFrom('warm_sessions').select('id').limit(1).execute()).length === 0
    },

    /** What can be handed out now. */
    async stock(): Promise<WarmStock[]> {
      const { rows } = await sql<WarmStock>`select sku, offer, count(*) as count from warm_sessions
        where usable_until > ${now().toISOString()} and created_at <= ${latest()} group by sku, offer`.execute(
        db,
      )
      return rows
    },

    /** Removes some of the sessions of an offer, {@link MAX_ROWS} at most, those first that end first. Resolves to how many. */
    async discard(offer: string, most: number): Promise<number> {
      const some = sql`select usable_until, id from warm_sessions where offer = ${offer}
        order by usable_until limit ${Math.min(most, MAX_ROWS)}`
      const { numAffectedRows } = await sql`delete from warm_sessions
        where offer = ${offer} and (usable_until, id) in (${some})`.execute(db)
      return Number(numAffectedRows)
    },

    /** Removes a session that is known to be paid. Looks through all of them. */
    remove: async (id: string): Promise<void> => {
      await db.deleteFrom('warm_sessions').where('id', '=', id).execute()
    },

    /** Deletes some of the sessions that have expired, or were made in the future; resolves to how many. Looks through all. */
    prune: () =>
      deleteSome(
        db,
        'warm_sessions',
        'id',
        sql`(expires_at <= ${now().toISOString()} or created_at > ${latest()})`,
      ),

    /** Adds clicks of this minute, and forgets those before `since` (ISO 8601). */
    async addClicks(
      counts: readonly (readonly [sku: string, clicks: number])[],
      since: string,
    ): Promise<void> {
      const minute = minuteOf(now())
      for (const [sku, clicks] of counts) {
        await db
          .insertInto('clicks')
          .values({ sku, minute, clicks })
          .onConflict((conflict) =>
            conflict.columns(['sku', 'minute']).doUpdateSet({ clicks: sql`clicks.clicks + ${clicks}` }),
          )
          .execute()
      }
      const condition = sql`(minute < ${since.slice(0, MINUTE_LENGTH)} or minute > ${minuteOf(new Date(latest()))})`
      await sql`delete from clicks where ${condition}`.execute(db)
    },

    /** How often the plain link of each product was clicked since then (ISO 8601). */
    async clicksSince(since: string): Promise<[sku: string, clicks: number][]> {
      const { rows } = await sql<{
        sku: string
        clicks: number
      }>`select sku, sum(clicks) as clicks from clicks
        where minute >= ${since.slice(0, MINUTE_LENGTH)} group by sku`.execute(db)
      return rows.map(({ sku, clicks }) => [sku, Number(clicks)])
    },
  }
}
