import type { Migration } from 'kysely/migration'
import { runStatements } from './run-statements.ts'

const STATEMENTS = [
  'alter table checkouts add column check_failures integer not null default 0',
  // The sweep checks those that have not failed before the others. Those without a session id are few among many open ones.
  'create index checkouts_unsettled on checkouts (state, check_failures, expires_at, session_id)',
  'drop index checkouts_state_expires_at',
]

export const failedChecks: Migration = {
  up: (db) => runStatements(db, STATEMENTS),
}
