import { randomUUID } from 'node:crypto'
import { amountTotal, type CreateSession, invalidInput, type ListQuery } from './messages.ts'

/** Seconds that a session stays open when the caller names no `expires_in`. */
const DEFAULT_EXPIRES_IN = 10_800

/** A session: every documented field, null where the caller gave nothing. */
export interface SandboxSession {
  id: string
  status: 'open' | 'complete' | 'expired'
  payment_intent_id: string
  success_url: string
  cancel_url: string | null
  checkout_session_url: string
  client_reference_id: string | null
  expiry: string
  metadata: Record<string, string> | null
  line_items: { quantity: number; price_id: string }[]
  created: string
  updated: string
  customer_id: string | null
  customer_email: string | null
  /** Cents. */
  amount_total: number
  /** The body that made it, which the API does not show. */
  readonly asked: CreateSession
}

/** How a test pays: the email typed on the page, and an amount (cents) other than the session's own. */
export interface Payment {
  email?: string
  amountTotal?: number
}

interface LedgerOptions {
  now: () => Date
  /** The URL of the hosted page for a session. */
  pageUrl: (id: string) => string
  listOrder?: 'newest-first' | 'oldest-first'
}

export type SessionLedger = ReturnType<typeof sessionLedger>

/** All sessions, in memory. A session that is read after its expiry is `expired`. */
export function sessionLedger({ now, pageUrl, listOrder = 'newest-first' }: LedgerOptions) {
  const byId = new Map<string, SandboxSession>()

  function current<Found extends SandboxSession | undefined>(session: Found): Found {
    if (session?.status === 'open' && Date.parse(session.expiry) <= now().getTime()) {
      session.status = 'expired'
      session.updated = session.expiry
    }
    return session
  }

  function openSession(id: string): SandboxSession {
    const session = current(byId.get(id))
    if (!session) throw new Error(`the sandbox has no session ${id}`)
    if (session.status !== 'open') throw new Error(`session ${id} is ${session.status}`)
    return session
  }

  return {
    /** Every session by id, oldest first. */
    all(): ReadonlyMap<string, SandboxSession> {
      for (const session of byId.values()) current(session)
      return byId
    },

    find: (id: string) => current(byId.get(id)),

    findByIntent: (paymentIntentId: string) =>
      current([...byId.values()].find((session) => session.payment_intent_id === paymentIntentId)),

    create(asked: CreateSession): SandboxSession {
      const id = randomUUID()
      const created = now()
      const lifetimeMs = (asked.expires_in ?? DEFAULT_EXPIRES_IN) * 1000
      const session: SandboxSession = {
        id,
        status: 'open',
        payment_intent_id: randomUUID(),
        success_url: asked.success_url,
        cancel_url: asked.cancel_url ?? null,
        checkout_session_url: pageUrl(id),
        client_reference_id: asked.client_reference_id ?? null,
        expiry: new Date(created.getTime() + lifetimeMs).toISOString(),
        metadata: asked.metadata ?? null,
        line_items: asked.line_items.map(({ quantity }) => ({ quantity, price_id: randomUUID() })),
        created: created.toISOString(),
        updated: created.toISOString(),
        customer_id: asked.customer_id ?? null,
        customer_email: asked.customer_email ?? null,
        amount_total: amountTotal(asked),
        asked,
      }
      byId.set(id, session)
      return session
    },

    /** One page of the list. Throws a 400 refusal where the cursor names no session. */
    list({ limit: limitText, starting_after: startingAfter, ending_before: endingBefore }: ListQuery) {
      // The default is not documented; it is the one of comparable APIs.
      const limit = Number(limitText ?? 10)
      const view = [...byId.values()]
      if (listOrder === 'newest-first') view.reverse()
      const position = (id: string) => {
        const index = view.findIndex((session) => session.id === id)
        if (index < 0) throw invalidInput(`no session ${id} to page from`)
        return index
      }
      const start = startingAfter === undefined ? 0 : position(startingAfter) + 1
      const end = endingBefore === undefined ? start + limit : position(endingBefore)
      const from = endingBefore === undefined ? start : Math.max(0, end - limit)
      const data = view.slice(from, end).map((session) => answerOf(current(session)))
      return { has_more: endingBefore === undefined ? end < view.length : from > 0, data }
    },

    /** Completes an open session. Throws where there is none, or it is not open any more. */
    pay(id: string, { email, amountTotal: paid }: Payment): SandboxSession {
      const session = openSession(id)
      session.status = 'complete'
      session.updated = now().toISOString()
      if (email) session.customer_email = email
      if (paid !== undefined) session.amount_total = paid
      return session
    },

    /** Ends an open session before its time. Throws where there is none, or it is not open any more. */
    expire(id: string): void {
      const session = openSession(id)
      session.expiry = now().toISOString()
      current(session)
    },
  }
}

/** The part of a session that the API shows. */
export function answerOf({ asked: _asked, ...answer }: SandboxSession) {
  return answer
}
