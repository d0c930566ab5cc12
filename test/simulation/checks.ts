import type { DatabaseSync } from 'node:sqlite'
import type { Sale } from './buyers.ts'
import { CREDENTIALS, type SimulatedDots } from './dots.ts'
import type { Receiver } from './receiver.ts'
import type { Shop } from './shop.ts'
import type { TroubleKind, Troubles } from './troubles.ts'
import { monotonicMs, rightTime } from './virtual-time.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

const PROCESS: readonly TroubleKind[] = [
  // A process that ends meanwhile does not start again.
  'catalog-broken',
  'crash',
  'restart',
  'clock-jump',
  'database-locked',
  'database-full',
  'database-gone',
]
const EVERY_CALL: readonly TroubleKind[] = ['dots-down', 'firewall', 'slow-dots']
const READS: readonly TroubleKind[] = [...PROCESS, ...EVERY_CALL, 'reads-fail']
const LIST: readonly TroubleKind[] = [...PROCESS, ...EVERY_CALL, 'list-fails', 'list-limited']

/** In time without trouble: how soon a payment has to be recorded, by the way in which it can be found. */
const BOUNDS = {
  /** Its event was accepted. */
  event: { kinds: READS, boundMs: 15 * MINUTE, afterMs: 10 * MINUTE },
  /** Its session has ended, and can be read. */
  read: { kinds: READS, boundMs: 15 * MINUTE, afterMs: 10 * MINUTE },
  /** Its session has ended, and stands in the list. */
  list: { kinds: LIST, boundMs: 75 * MINUTE, afterMs: 30 * MINUTE },
} as const
/** From the record of a payment to the first attempt to announce it. */
const ANNOUNCED_WITHIN_MS = 12 * SECOND
const PROCESS_RECOVERS_MS = MINUTE
/** Each job has to look at its table as often as this. */
const SILENCE_MS = { events: 2 * MINUTE, announcements: 2 * MINUTE, leases: 4 * MINUTE }
/** A foreign event is looked for three times within ten minutes. */
const FOREIGN_MS = 20 * MINUTE
/** The longest pause between two attempts to announce an order is ten hours, and a tenth of it. */
const LONGEST_PAUSE_MS = 11 * 60 * MINUTE

interface ChecksOptions {
  database: DatabaseSync
  troubles: Troubles
  dots: SimulatedDots
  receiver: Receiver
  shop: Shop
  fail: (rule: string, details: object) => void
}

export type Checks = ReturnType<typeof checksOf>

/** What must be true at every moment of a run. */
export function checksOf({ database, troubles, dots, receiver, shop, fail }: ChecksOptions) {
  const row = database.prepare('select state, session_id, flags from checkouts where id = ?')
  const completeRows = database.prepare("select id, session_id from checkouts where state = 'complete'")
  const eventsOf = database.prepare(
    'select state, attempts, received_at, next_attempt_at from events where candidate_ids like ?',
  )
  const soldTwice = database.prepare(
    'select checkout_id from sales group by checkout_id, sku having count(*) > 1 limit 1',
  )
  const foreignPending = database.prepare(
    "select count(*) as total from events where state = 'pending' and candidate_ids like '%foreign%' and received_at < ?",
  )
  const announcement = database.prepare(
    'select state, next_attempt_at from announcements where checkout_id = ?',
  )
  /** Paid at Dots, and not complete here. */
  const pending = new Map<string, Sale>()
  /** When the event of a payment intent was accepted. */
  const eventsAccepted = new Map<string, number>()
  /** When a payment was recorded, until its announcement is sent for the first time. */
  const settled = new Map<string, number>()
  const everSettled = new Set<string>()
  /** Paid with another amount than asked: a person has to look at them before anybody is told. */
  const mismatches = new Set<string>()
  const announcedAs = new Map<string, string>()
  const complete = new Set<string>()
  const sales: Sale[] = []

  const calm = (kinds: readonly TroubleKind[], from: number, afterMs: number, to = monotonicMs()) =>
    to <= from ? 0 : troubles.calmMs(kinds, from, to, afterMs)

  function checkFound(sale: Sale): void {
    const stored = row.get(sale.checkoutId)
    if (stored?.state === 'complete') {
      pending.delete(sale.sessionId)
      return
    }
    const intent = dots.sandbox.find(sale.sessionId)?.payment_intent_id ?? ''
    // A checkout that a clock far ahead has made `expired` is not read any more: a long backfill finds it.
    const isWatched = stored?.session_id === sale.sessionId && stored.state === 'open'
    const canBeRead = isWatched && !dots.badSessions.has(sale.sessionId)
    const ended = Math.max(sale.paidAt, sale.endsAt)
    const starts = {
      event: canBeRead ? eventsAccepted.get(intent) : undefined,
      read: canBeRead ? ended : undefined,
      list: ended,
    }
    for (const way of ['event', 'read', 'list'] as const) {
      const start = starts[way]
      const { kinds, boundMs, afterMs } = BOUNDS[way]
      if (start === undefined || calm(kinds, start, afterMs) <= boundMs) continue
      const state = stored?.state ?? 'no row'
      const isBad = dots.badSessions.get(sale.sessionId)
      const events = eventsOf.all(`%${intent}%`)
      fail(`sale-not-found-by-${way}`, {
        events,
        session: sale.sessionId,
        paidAt: minutes(sale.paidAt),
        state,
        isBad,
      })
      pending.delete(sale.sessionId)
      return
    }
  }

  function checkAnnounced(checkoutId: string, settledAt: number): void {
    if (calm([...PROCESS], settledAt, PROCESS_RECOVERS_MS) <= ANNOUNCED_WITHIN_MS) return
    fail('announcement-late', { checkout: checkoutId, settledAt: minutes(settledAt) })
    settled.delete(checkoutId)
  }

  function checkJobs(): void {
    const now = monotonicMs()
    for (const table of ['events', 'announcements', 'leases'] as const) {
      if (calm([...PROCESS], shop.lastSeen[table], MINUTE) <= SILENCE_MS[table]) continue
      fail('job-silent', { table, since: minutes(shop.lastSeen[table]) })
      shop.lastSeen[table] = now
    }
  }

  return {
    onSale(sale: Sale): void {
      sales.push(sale)
      pending.set(sale.sessionId, sale)
      if (sale.isMismatch) mismatches.add(sale.checkoutId)
    },

    /** An event that the shop has answered with 2xx. */
    onEventAccepted(body: string): void {
      const intent = /"payment_intent_id":"([^"]+)"/.exec(body)?.[1]
      if (intent !== undefined && !eventsAccepted.has(intent)) eventsAccepted.set(intent, monotonicMs())
    },

    onLog(process: string, text: string): void {
      if (text.includes('@example.com') || text.includes(CREDENTIALS.apiKey)) fail('secret-in-log', { text })
      if (text.includes('"err":') || text.includes('STORE_BUG')) fail('unexpected-error', { process, text })
      if (!text.includes('"event":"order.settled"')) return
      const line = JSON.parse(text)
      const checkoutId = String(line.checkout)
      if (everSettled.has(checkoutId)) fail('settled-twice', { checkout: checkoutId })
      everSettled.add(checkoutId)
      if (line.amountPaid === line.amountAsked && !announcedAs.has(checkoutId))
        settled.set(checkoutId, monotonicMs())
    },

    onAnnounced(id: string, body: string): void {
      const checkoutId = /"checkout_id":"([^"]+)"/.exec(body)?.[1] ?? ''
      const known = announcedAs.get(checkoutId)
      if (known !== undefined && known !== id) fail('announced-under-two-ids', { id, known })
      announcedAs.set(checkoutId, id)
      if (mismatches.has(checkoutId)) fail('mismatch-announced', { checkout: checkoutId })
      const settledAt = settled.get(checkoutId)
      if (settledAt !== undefined) checkAnnounced(checkoutId, settledAt)
      settled.delete(checkoutId)
    },

    /** Every few seconds. */
    often(): void {
      for (const sale of pending.values()) checkFound(sale)
      for (const [checkoutId, settledAt] of settled) checkAnnounced(checkoutId, settledAt)
      checkJobs()
    },

    /** Every half hour, and at the end. */
    seldom(): void {
      const now = new Set<string>()
      for (const { id, session_id } of completeRows.all()) {
        now.add(String(id))
        const session = dots.sandbox.find(String(session_id))
        if (session?.status !== 'complete')
          fail('complete-without-payment', { checkout: id, status: session?.status })
      }
      for (const id of complete) if (!now.has(id)) fail('complete-went-back', { checkout: id })
      for (const id of now) complete.add(id)
      const twice = soldTwice.get()
      if (twice !== undefined) fail('counted-twice', twice)
      const before = new Date(rightTime().getTime() - FOREIGN_MS).toISOString()
      if (calm([...PROCESS], monotonicMs() - FOREIGN_MS, FOREIGN_MS) > FOREIGN_MS - MINUTE) {
        const { total } = foreignPending.get(before) ?? {}
        if (Number(total) > 0) fail('foreign-events-pending', { total })
      }
    },

    /** When everything has been well for hours. */
    atEnd(): void {
      for (const session of dots.sandbox.sessions.values()) {
        if (session.metadata?.ref?.startsWith('bot-')) fail('session-for-a-bot', { session: session.id })
      }
      for (const sale of sales) {
        const stored = row.get(sale.checkoutId)
        if (stored?.state !== 'complete') {
          fail('sale-never-found', {
            session: sale.sessionId,
            state: stored?.state,
            paidAt: minutes(sale.paidAt),
          })
          continue
        }
        if (sale.isMismatch) {
          if (!String(stored.flags).includes('amount-mismatch'))
            fail('mismatch-not-flagged', { session: sale.sessionId })
          continue
        }
        const message = receiver.messages.get(announcedAs.get(sale.checkoutId) ?? '')
        if (message !== undefined && message.accepted > 0) continue
        const { state, next_attempt_at: next } = announcement.get(sale.checkoutId) ?? {}
        const waitMs = Date.parse(String(next)) - rightTime().getTime()
        if (state !== 'pending' || waitMs > LONGEST_PAUSE_MS) {
          fail('never-announced', { checkout: sale.checkoutId, state, next })
        }
      }
    },
  }
}

const minutes = (ms: number) => `minute ${Math.round(ms / MINUTE)}`
