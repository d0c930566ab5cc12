import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Direct } from './rows.ts'

/** Far more than the service has; a statement with a list of ids has another text for each length of the list. */
const MAX_STATEMENTS = 200

/** Statements of a database by their text, each prepared once. */
function preparedStatements(database: DatabaseSync): (text: string) => StatementSync {
  const statements = new Map<string, StatementSync>()
  return (text) => {
    const known = statements.get(text)
    if (known !== undefined) return known
    if (statements.size >= MAX_STATEMENTS) statements.clear()
    const statement = database.prepare(text)
    statements.set(text, statement)
    return statement
  }
}

/**
 * Kysely on `node:sqlite`, for one user of the connection at a time. A transaction of Kysely's does nothing: each step is
 * one already.
 */
export function sqliteDialect(database: DatabaseSync): Dialect {
  const connection = new Connection(preparedStatements(database))
  const nothing = async (): Promise<void> => {}
  const driver: Driver = {
    init: nothing,
    acquireConnection: async () => connection,
    beginTransaction: nothing,
    commitTransaction: nothing,
    rollbackTransaction: nothing,
    releaseConnection: nothing,
    destroy: async () => database.close(),
  }
  return {
    createDriver: () => driver,
    createAdapter: () => new DirectAdapter(connection),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** Takes compiled queries without Kysely's way to a connection, which costs more than most of them. */
class DirectAdapter extends SqliteAdapter implements Direct {
  readonly #connection: Connection

  constructor(connection: Connection) {
    super()
    this.#connection = connection
  }
  execute<Row>({ sql }: CompiledQuery<Row>, parameters: readonly unknown[]): Promise<QueryResult<Row>> {
    return this.#connection.executeQuery<Row>({ sql, parameters })
  }
}

class Connection implements DatabaseConnection {
  readonly #prepare: (text: string) => StatementSync
  /** Whether a statement gives rows. */
  readonly #gives = new WeakMap<StatementSync, boolean>()

  constructor(prepare: (text: string) => StatementSync) {
    this.#prepare = prepare
  }

  async executeQuery<Row>({
    sql,
    parameters,
  }: Pick<CompiledQuery, 'sql' | 'parameters'>): Promise<QueryResult<Row>> {
    const statement = this.#prepare(sql)
    const values = parameters as readonly SQLInputValue[]
    let gives = this.#gives.get(statement)
    if (gives === undefined) {
      gives = statement.columns().length > 0
      this.#gives.set(statement, gives)
    }
    if (gives) return { rows: statement.all(...values) as Row[] }
    const { changes } = statement.run(...values)
    return { numAffectedRows: BigInt(changes), rows: [] }
  }

  streamQuery(): never {
    throw new Error('not supported: a step reads a limited number of rows')
  }
}
