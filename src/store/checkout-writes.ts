import { type Kysely, sql, type Updateable } from 'kysely'
import {
  type CheckoutState,
  type CheckoutsTable,
  type ClickValues,
  clickRow,
  type NewRow,
} from './checkout.ts'
import { byId, type CheckoutTables } from './checkout-lookups.ts'
import { prepared, preparedFor } from './rows.ts'

/** `superseded`: the checkout is in a state that does not allow this change (complete is final); nothing was changed. */
export type RecordOutcome = 'recorded' | 'superseded' | 'unknown-checkout'

/** The columns of its outcome. */
export type RowOutcome = Pick<CheckoutsTable, 'state'> &
  Partial<
    Pick<
      CheckoutsTable,
      'failure' | 'session_id' | 'payment_intent_id' | 'checkout_url' | 'expires_at' | 'reusable_until'
    >
  >

function outcomeRow(outcome: RowOutcome, now: Date) {
  return {
    updated_at: now.toISOString(),
    state: outcome.state,
    failure: outcome.failure ?? null,
    session_id: outcome.session_id ?? null,
    payment_intent_id: outcome.payment_intent_id ?? null,
    checkout_url: outcome.checkout_url ?? null,
    expires_at: outcome.expires_at ?? null,
    reusable_until: outcome.reusable_until ?? null,
  } satisfies Partial<CheckoutsTable>
}

/** Never the checkout of a buyer. */
export const PROOF: NewRow = {
  id: 'proof',
  items: [{ sku: 'proof', name: 'proof', quantity: 1, amount: 1 }],
  amountTotal: 1,
  currency: 'usd',
  link: '/',
  linkId: null,
  linkUses: null,
  clientReferenceId: null,
  customerEmail: null,
  metadata: {},
  createdAt: '',
}
/** In the same order each time, so that a statement is prepared once. */
const COLUMNS = ['id', ...Object.keys({ ...clickRow(PROOF), ...outcomeRow({ state: 'open' }, new Date(0)) })]

function insertInto(values: readonly unknown[]) {
  return sql`insert into checkouts (${sql.raw(COLUMNS.join())}) values (${sql.join(values)})`
}
/** A row with the same id stays. */
export const unlessKnown = prepared((_db: Kysely<CheckoutTables>, ...values: unknown[]) => {
  return sql`${insertInto(values)} on conflict (id) do nothing`
})
/** A row with the same id is replaced, unless it is complete or expired. What is held stays held. */
export const replaceUnlessEnded = prepared((_db: Kysely<CheckoutTables>, ...values: unknown[]) => {
  const changes = COLUMNS.filter((column) => column !== 'is_held').map(
    (column) => `${column} = excluded.${column}`,
  )
  return sql`${insertInto(values)} on conflict (id) do update set ${sql.raw(changes.join())}
    where checkouts.state in ('creating', 'open', 'unknown', 'failed')`
})

/** Writes a row; false where one with its id has kept it from being written. */
export async function insertCheckout(
  db: Kysely<CheckoutTables>,
  id: string,
  click: ClickValues,
  outcome: RowOutcome,
  statement: typeof unlessKnown,
  now: Date,
): Promise<boolean> {
  const { numAffectedRows } = await statement(db, id, ...click, ...Object.values(outcomeRow(outcome, now)))
  return numAffectedRows === 1n
}

/** Updates of these columns, for a checkout in one of these states. */
const moved = preparedFor<CheckoutTables>((key) => (_db, id, ...values) => {
  const [columns = '', states = '', withoutSession] = key.split(' ')
  const changes = columns.split(',').map((column, index) => sql`${sql.ref(column)} = ${values[index]}`)
  const from = states.split(',').map((state) => `'${state}'`)
  return sql`update checkouts set ${sql.join(changes)} where id = ${id} and state in (${sql.raw(from.join())})
    ${sql.raw(withoutSession ? 'and session_id is null' : '')}`
})
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
