import type { Migration } from 'kysely/migration'
import { runStatements } from './run-statements.ts'

const STATEMENTS = [
  `create table ordered_warm_sessions (
     id text not null, sku text not null, offer text not null, session_id text, payment_intent_id text,
     checkout_url text not null, created_at text not null, usable_until text not null, expires_at text not null,
     primary key (offer, usable_until, id)
   ) without rowid`,
  'insert into ordered_warm_sessions select * from warm_sessions',
  'drop table warm_sessions',
  'alter table ordered_warm_sessions rename to warm_sessions',
]

/** Sessions made ahead lie in the order in which they are handed out: they are taken from one tree instead of two. */
export const warmSessionsInOrder: Migration = {
  up: (db) => runStatements(db, STATEMENTS),
}
