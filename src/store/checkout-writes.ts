import { type Kysely, sql, type Updateable } from 'kysely'
import type { Checkout, CheckoutState, CheckoutsTable, NewCheckout, PurchaseKey } from './checkout.ts'
import { byId, type CheckoutTables } from './checkout-lookups.ts'
import { preparedFor, toRow } from './rows.ts'

/** `superseded`: the checkout is in a state that does not allow this change (complete is final); nothing was changed. */
export type RecordOutcome = 'recorded' | 'superseded' | 'unknown-checkout'

/** What is known of a click, and of which browser and purchase it is. */
export type Click = NewCheckout & Partial<PurchaseKey>

/** Inserts of these columns; a row with the same id stays. */
export const unlessKnown = preparedFor<CheckoutTables>((columns) => (_db, ...values) => {
  return sql`insert into checkouts (${sql.raw(columns)}) values (${sql.join(values)}) on conflict (id) do nothing`
})
/** Inserts of these columns; a row with the same id is replaced, unless it is complete or expired. */
export const replaceUnlessEnded = preparedFor<CheckoutTables>((columns) => (_db, ...values) => {
  const changes = columns.split(',').map((column) => `${column} = excluded.${column}`)
  return sql`insert into checkouts (${sql.raw(columns)}) values (${sql.join(values)})
    on conflict (id) do update set ${sql.raw(changes.join())}
    where checkouts.state in ('creating', 'open', 'unknown', 'failed')`
})
/** Updates of these columns, for a checkout in one of these states. */
const moved = preparedFor<CheckoutTables>((key) => (_db, id, ...values) => {
  const [columns = '', states = '', withoutSession] = key.split(' ')
  const changes = columns.split(',').map((column, index) => sql`${sql.ref(column)} = ${values[index]}`)
  const from = states.split(',').map((state) => `'${state}'`)
  return sql`update checkouts set ${sql.join(changes)} where id = ${id} and state in (${sql.raw(from.join())})
    ${sql.raw(withoutSession ? 'and session_id is null' : '')}`
})
/** Writes a row; false where one with its id has kept it from being written. */
export async function insertCheckout(
  db: Kysely<CheckoutTables>,
  record: Click & Partial<Pick<Checkout, 'createdAt' | 'isHeld'>>,
  more: Updateable<CheckoutsTable>,
  statement: typeof unlessKnown,
  now: Date,
): Promise<boolean> {
  const row = [...toRow({ ...record, updatedAt: now.toISOString() }), ...Object.entries(more)]
  const key = row.map(([column]) => column).join()
  const { numAffectedRows } = await statement(key)(db, ...row.map(([, value]) => value))
  return numAffectedRows === 1n
}

/** Changes a checkout that is in one of the states `from`. */
export async function moveCheckout(
  db: Kysely<CheckoutTables>,
  id: string,
  from: readonly CheckoutState[],
  change: Updateable<CheckoutsTable>,
  now: Date,
  { withoutSession = false } = {},
): Promise<RecordOutcome> {
  const row = Object.entries({ ...change, updated_at: now.toISOString() })
    // What is undefined stays as it is.
    .filter(([, value]) => value !== undefined)
  const key = `${row.map(([column]) => column)} ${from}${withoutSession ? ' without-session' : ''}`
  const { numAffectedRows } = await moved(key)(db, id, ...row.map(([, value]) => value))
  if (numAffectedRows === 1n) return 'recorded'
  const { rows } = await byId(db, id)
  return rows.length === 0 ? 'unknown-checkout' : 'superseded'
}
