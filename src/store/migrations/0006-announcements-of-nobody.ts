import type { Migration } from 'kysely/migration'
import { runStatements } from './run-statements.ts'

const STATEMENTS = [
  'alter table checkouts add column link_uses integer',
  'create index checkouts_link_uses on checkouts (link_id, link_uses) where link_uses is not null',
  // Without an address to send them to, announcements were written as held; only those of restored orders are.
  `update announcements set state = 'none'
   where state = 'held' and checkout_id in (select id from checkouts where is_held = 0)`,
  // First attempts and retries are claimed apart, so that ten thousand of one kind do not slow down the other. The
  // planner would prefer an index that begins with the state.
  'drop index announcements_state_next_attempt_at',
  `create index announcements_first_attempt on announcements (next_attempt_at)
   where state = 'pending' and attempts = 0`,
  `create index announcements_retry on announcements (next_attempt_at)
   where state = 'pending' and attempts > 0`,
  "create index announcements_failed on announcements (checkout_id) where state = 'failed'",
]

export const announcementsOfNobody: Migration = {
  up: (db) => runStatements(db, STATEMENTS),
}
