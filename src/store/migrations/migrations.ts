import type { Migration } from 'kysely/migration'
import { checkouts } from './0001-checkouts.ts'
import { orders } from './0002-orders.ts'
import { visits } from './0003-visits.ts'
import { standardWords } from './0004-standard-words.ts'
import { failedChecks } from './0005-failed-checks.ts'
import { announcementsOfNobody } from './0006-announcements-of-nobody.ts'
import { boughtCarts } from './0007-bought-carts.ts'
import { warmSessions } from './0008-warm-sessions.ts'
import { warmSessionsInOrder } from './0009-warm-sessions-in-order.ts'

/** All migrations, in order. A released migration is never edited: the next change is a new migration. */
export const migrations: Record<string, Migration> = {
  '0001-checkouts': checkouts,
  '0002-orders': orders,
  '0003-visits': visits,
  '0004-standard-words': standardWords,
  '0005-failed-checks': failedChecks,
  '0006-announcements-of-nobody': announcementsOfNobody,
  '0007-bought-carts': boughtCarts,
  '0008-warm-sessions': warmSessions,
  '0009-warm-sessions-in-order': warmSessionsInOrder,
}
