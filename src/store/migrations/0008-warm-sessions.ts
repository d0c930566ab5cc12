import type { Migration } from 'kysely/migration'
import { runStatements } from './run-statements.ts'

const STATEMENTS = [
  // One index, in the order in which they are handed out: each row is soon deleted again.
  `create table warm_sessions (
     id text not null, sku text not null, offer text not null, session_id text, payment_intent_id text,
     checkout_url text not null, created_at text not null, usable_until text not null, expires_at text not null,
     primary key (offer, usable_until, id)
   )`,
  'create table clicks (sku text not null, minute text not null, clicks integer not null, primary key (sku, minute))',
  // Few checkouts come through a signed link; a click on a plain one has nothing to write here.
  'drop index checkouts_link_id_state',
  'create index checkouts_link_id on checkouts (link_id, state) where link_id is not null',
]

/** Sessions made ahead of their clicks, and the clicks of the last minutes, which say how many are needed. */
export const warmSessions: Migration = {
  up: (db) => runStatements(db, STATEMENTS),
}
