import { randomUUID } from 'node:crypto'
import {
  amountTotal,
  type CreateSession,
  EXPIRES_IN_DEFAULT,
  invalidInput,
  type ListQuery,
} from './messages.ts'

/** A session as the API shows it: every documented field, null where the caller gave nothing. */
export interface SessionAnswer {
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
}

/** A session with what the API does not show. */
export interface SandboxSession extends SessionAnswer {
  /** The body that made it. */
  readonly asked: CreateSession
  payment_intent_status: 'requires_payment_method' | 'succeeded' | 'canceled'
}

/** How a test pays: the email typed on the page, and an amount (cents) other than what was asked. */
export interface Payment {
  email?: string | undefined
  amountTotal?: number | undefined
}

interface LedgerOptions {
  now: () => Date
  pageBaseUrl: () => string
  listOrder: 'newest-first' | 'oldest-first'
}

/** All sessions in memory. Whatever reads one sees it expired as soon as its time has passed. */
export class SessionLedger {
  readonly #options: LedgerOptions
  readonly #byId = new Map<string, SandboxSession>()
  readonly #byIntent = new Map<string, SandboxSession>()

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  /** Every session by id, oldest first. */
  get all(): ReadonlyMap<string, SandboxSession> {
    for (const session of this.#byId.values()) this.#lapse(session)
    return this.#byId
  }

  create(asked: CreateSession): SandboxSession {
    const id = randomUUID()
    const now = this.#options.now()
    const lifetimeMs = (asked.expires_in ?? EXPIRES_IN_DEFAULT) * 1000
    const session: SandboxSession = {
      id,
      status: 'open',
      payment_intent_id: randomUUID(),
      success_url: asked.success_url,
      cancel_url: asked.cancel_url ?? null,
      checkout_session_url: `${this.#options.pageBaseUrl()}/checkout/${id}`,
      client_reference_id: asked.client_reference_id ?? null,
      expiry: new Date(now.getTime() + lifetimeMs).toISOString(),
      metadata: asked.metadata ?? null,
      line_items: asked.line_items.map(({ quantity }) => ({ quantity, price_id: randomUUID() })),
      created: now.toISOString(),
      updated: now.toISOString(),
      customer_id: asked.customer_id ?? null,
      customer_email: asked.customer_email ?? null,
      amount_total: amountTotal(asked),
      asked,
      payment_intent_status: 'requires_payment_method',
    }
    this.#byId.set(id, session)
    this.#byIntent.set(session.payment_intent_id, session)
    return session
  }

  find(id: string): SandboxSession | undefined {
    return this.#lapse(this.#byId.get(id))
  }

  findByIntent(paymentIntentId: string): SandboxSession | undefined {
    return this.#lapse(this.#byIntent.get(paymentIntentId))
  }

  /** One page of the list. Throws a 400 refusal where the cursor names no session. */
  list(query: ListQuery): { has_more: boolean; data: SessionAnswer[] } {
    const view = [...this.#byId.values()]
    if (this.#options.listOrder === 'newest-first') view.reverse()
    let from = 0
    let to = query.limit
    if (query.startingAfter !== undefined) {
      from = this.#cursor(view, query.startingAfter) + 1
      to = from + query.limit
    } else if (query.endingBefore !== undefined) {
      to = this.#cursor(view, query.endingBefore)
      from = Math.max(0, to - query.limit)
    }
    const more = query.endingBefore === undefined ? to < view.length : from > 0
    const data = view.slice(from, to).map((session) => {
      this.#lapse(session)
      return answerOf(session)
    })
    return { has_more: more, data }
  }

  /** Completes an open session. Throws where there is none, or it is not open any more. */
  pay(id: string, payment: Payment): SandboxSession {
    const session = this.#open(id)
    session.status = 'complete'
    session.payment_intent_status = 'succeeded'
    session.updated = this.#options.now().toISOString()
    if (payment.email) session.customer_email = payment.email
    if (payment.amountTotal !== undefined) session.amount_total = payment.amountTotal
    return session
  }

  /** Ends an open session before its time. Throws where there is none, or it is not open any more. */
  expire(id: string): void {
    const session = this.#open(id)
    session.expiry = this.#options.now().toISOString()
    this.#lapse(session)
  }

  #open(id: string): SandboxSession {
    const session = this.find(id)
    if (!session) throw new Error(`the sandbox has no session ${id}`)
    if (session.status !== 'open') throw new Error(`session ${id} is ${session.status}`)
    return session
  }

  #cursor(view: readonly SandboxSession[], id: string): number {
    const index = view.findIndex((session) => session.id === id)
    if (index < 0) throw invalidInput(`no session ${id} to page from`)
    return index
  }

  #lapse<Found extends SandboxSession | undefined>(session: Found): Found {
    if (session?.status === 'open' && Date.parse(session.expiry) <= this.#options.now().getTime()) {
      session.status = 'expired'
      session.payment_intent_status = 'canceled'
      session.updated = session.expiry
    }
    return session
  }
}

/** The part of a session that the API shows. */
export function answerOf(session: SandboxSession): SessionAnswer {
  const { asked: _asked, payment_intent_status: _status, ...answer } = session
  return answer
}
