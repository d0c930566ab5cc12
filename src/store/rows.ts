import {
  type CompiledQuery,
  type Expression,
  type Kysely,
  type QueryExecutorProvider,
  type QueryResult,
  type RawBuilder,
  sql,
} from 'kysely'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { MAX_ROWS } from './store.ts'

type Snake<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Snake<Rest>}`
  : ''

/** A record as its table's row: `amountPaid` is `amount_paid`, a boolean 0 or 1, a list or an object JSON. */
export type Row<Item> = {
  [Field in keyof Item & string as Snake<Field>]: Item[Field] extends boolean
    ? number
    : Item[Field] extends string | number | null
      ? Item[Field]
      : string
}

const columns = new Map<string, string>()

function columnOf(field: string): string {
  let column = columns.get(field)
  if (column === undefined) {
    column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    columns.set(field, column)
  }
  return column
}

/** Stands for an argument while a query is compiled. */
class Argument {
  readonly index: number
  constructor(index: number) {
    this.index = index
  }
}

/** A kind of database that runs a compiled query at once, with these parameters instead of its own. */
export interface Direct {
  execute<Row>(query: CompiledQuery<Row>, parameters: readonly unknown[]): Promise<QueryResult<Row>>
}

function isDirect(adapter: object): adapter is Direct {
  return 'execute' in adapter
}

interface Compilable<Row> {
  compile(db: QueryExecutorProvider): CompiledQuery<Row>
}

/**
 * A query that is compiled once, for the steps of clicks, returns, webhooks and the sweep. `build` may only pass its
 * arguments on as values; it does not see them. The query runs on the database, or the transaction, of each call.
 */
export function prepared<Tables, Arguments extends unknown[], Row>(
  build: (db: Kysely<Tables>, ...values: Arguments) => Compilable<Row>,
) {
  /** For each kind of database. */
  const compiled = new WeakMap<object, CompiledQuery<Row>>()
  return (db: Kysely<Tables>, ...values: Arguments): Promise<QueryResult<Row>> => {
    const { adapter } = db.getExecutor()
    let query = compiled.get(adapter)
    if (query === undefined) {
      const marks = values.map((_value, index) => new Argument(index)) as unknown as Arguments
      query = build(db, ...marks).compile(db)
      compiled.set(adapter, query)
    }
    const parameters = query.parameters.map((one) => (one instanceof Argument ? values[one.index] : one))
    return isDirect(adapter) ? adapter.execute(query, parameters) : db.executeQuery({ ...query, parameters })
  }
}

/** {@link prepared} queries that differ by a key, made when they are first needed. */
export function preparedFor<Tables>(
  build: (key: string) => (db: Kysely<Tables>, ...values: unknown[]) => Compilable<unknown>,
) {
  const queries = new Map<string, ReturnType<typeof prepared<Tables, unknown[], unknown>>>()
  return (key: string) => {
    let query = queries.get(key)
    if (query === undefined) {
      query = prepared(build(key))
      queries.set(key, query)
    }
    return query
  }
}

/**
 * Makes a function that reads rows as records of this schema. It throws an Error if a row does not match, which happens
 * only if another program has written to the database.
 */
export function rowReader<Schema extends Type.TObject>(schema: Schema) {
  const validator = Compile(schema)
  const fields = Object.entries(schema.properties).map(([field, type]) => ({
    field,
    column: columnOf(field),
    isBoolean: Type.IsBoolean(type),
    isJson: Type.IsArray(type) || Type.IsRecord(type),
  }))
  return (row: Readonly<Record<string, unknown>>) => {
    const record: Record<string, unknown> = {}
    for (const { field, column, isBoolean, isJson } of fields) {
      const value = row[column]
      record[field] = isJson ? JSON.parse(String(value)) : isBoolean ? value === 1 : value
    }
    return validator.Parse(record)
  }
}

/** How many rows a query finds. */
export async function count<Tables>(db: Kysely<Tables>, query: Expression<unknown>): Promise<number> {
  const { rows } = await sql<{ total: number }>`select count(*) as total from ${query} as found`.execute(db)
  return rows[0]?.total ?? 0
}

/** Deletes some of the rows that meet `condition`, {@link MAX_ROWS} at most; resolves to how many. */
export async function deleteSome<Tables>(
  db: Kysely<Tables>,
  table: string,
  key: string,
  condition: RawBuilder<boolean>,
): Promise<number> {
  const some = sql`select ${sql.ref(key)} from ${sql.table(table)} where ${condition} limit ${MAX_ROWS}`
  const deleted = sql`delete from ${sql.table(table)} where ${sql.ref(key)} in (${some})`
  return Number((await deleted.execute(db)).numAffectedRows ?? 0)
}

/** Whether a text column contains `text`. LIKE would ignore case on SQLite and has wildcards; `replace` is exact. */
export function contains(column: string, text: string): RawBuilder<boolean> {
  return sql`replace(${sql.ref(column)}, ${text}, '') <> ${sql.ref(column)}`
}

/**
 * Claims rows that are pending and due: counts an attempt, and makes them due again at `until` (ISO 8601). One
 * statement, so of two processes only one gets a row. Where nothing is due nothing is written, and no lock is taken.
 *
 * `maxPauseMs` is the longest time that a row ever waits: one that would wait longer was written under a wrong clock, and
 * is due. `condition` is a further one.
 */
export async function claim<Tables>(
  db: Kysely<Tables>,
  table: string,
  { limit, now, until, maxPauseMs, condition = sql`true` }: ClaimOptions,
) {
  const latest = new Date(now.getTime() + maxPauseMs).toISOString()
  const isDue = sql`state = 'pending' and ${condition}
    and (next_attempt_at <= ${now.toISOString()} or next_attempt_at > ${latest})`
  const dueRows = (most: number) =>
    sql`select id from ${sql.table(table)} where ${isDue} order by next_attempt_at limit ${most}`
  if ((await dueRows(1).execute(db)).rows.length === 0) return []
  // The row itself is checked as well: PostgreSQL may have waited for another process that claimed it. `is true` keeps
  // SQLite from looking through all that are due for this, instead of for the ids.
  const claimed = await sql<Record<string, unknown>>`
    update ${sql.table(table)} set next_attempt_at = ${until}, attempts = attempts + 1
    where (${isDue}) is true and id in (${dueRows(limit)}) returning *`.execute(db)
  return claimed.rows
}

interface ClaimOptions {
  limit: number
  now: Date
  until: string
  maxPauseMs: number
  condition?: RawBuilder<unknown>
}
