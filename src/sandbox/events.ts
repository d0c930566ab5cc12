import { createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

// Svix, which delivers for Dots, tries again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h.
const RETRY_AFTER_MS: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map((s) => s * 1000)

// Dots takes an attempt without a 2xx in this time as failed.
const ANSWER_WITHIN_MS = 15_000

/** Where events go. `secret` is `whsec_` and the base64 key. */
export interface WebhookTarget {
  url: string
  secret: string
}

/** How badly events travel; everything may be changed while the sandbox runs. */
export interface Delivery {
  /** Share of events, 0 to 1, that are never sent at all. */
  lose: number
  /** Share of events, 0 to 1, that are sent twice under one id. */
  double: number
  /** Milliseconds before the first event of a payment is sent. */
  delayMs: number
  /** Whether the events of one payment are sent in a random order. */
  shuffle: boolean
  /** Whether `webhook-…` headers stand beside the `svix-…` ones. */
  alsoWebhookHeaders: boolean
  /** Whether the body says nothing but the payment intent's id, as some of Dots' events do. */
  withoutEventKey: boolean
}

/** One attempt to deliver an event, and what came of it: the status, or why there is none. */
export interface DeliveryAttempt {
  id: string
  /** 1 for the first. */
  attempt: number
  sentAt: Date
  headers: Record<string, string>
  body: string
  outcome: number | 'lost' | 'unreachable'
}

/** Changes to one event sent by hand; what is left out is as Dots would send it. */
export interface EventChanges {
  id?: string
  /** Unix seconds. */
  timestamp?: number
  /** The raw body, or an object to be sent as JSON. */
  body?: string | Record<string, unknown>
  /** Signs with another secret than the one agreed on. */
  secret?: string
  /** Added to, or put in place of, the headers; undefined takes one away. */
  headers?: Record<string, string | undefined>
}

export interface EventSenderOptions {
  now: () => Date
  random: () => number
  retryAfterMs?: readonly number[] | undefined
  answerWithinMs?: number | undefined
}

/**
 * Signs the way Svix does: HMAC-SHA256 over `id.timestamp.body` under the base64 key after `whsec_`
 * (docs.svix.com/receiving/verifying-payloads/how-manual). `timestamp` is in Unix seconds.
 */
export function signatureOf(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/** Sends events to the target, tries failed ones again, and keeps a list of all attempts. */
export class EventSender {
  target: WebhookTarget | undefined
  readonly delivery: Delivery = {
    lose: 0,
    double: 0,
    delayMs: 0,
    shuffle: false,
    alsoWebhookHeaders: false,
    withoutEventKey: false,
  }
  readonly deliveries: DeliveryAttempt[] = []
  readonly #options: EventSenderOptions
  readonly #underWay = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(target: WebhookTarget | undefined, options: EventSenderOptions) {
    this.target = target
    this.#options = options
  }

  /** Starts to announce a payment, one event for each step that it took, and does not wait for the answers. */
  announce(paymentIntentId: string, steps: number): void {
    const { delivery } = this
    const { random } = this.#options
    if (!this.target) return
    const events: { id: string; body: string }[] = []
    for (let step = 0; step < steps; step++) {
      const event = { id: newEventId(), body: this.#bodyOf(paymentIntentId) }
      if (random() < delivery.lose) {
        this.deliveries.push({
          ...event,
          attempt: 1,
          sentAt: this.#options.now(),
          headers: {},
          outcome: 'lost',
        })
        continue
      }
      events.push(event)
      if (random() < delivery.double) events.push(event)
    }
    if (delivery.shuffle) shuffle(events, random)
    this.#track(this.#deliverAll(events, delivery.delayMs))
  }

  /** Sends one event now, once. Resolves to the status of the answer; rejects where none came. */
  async sendNow(paymentIntentId: string | undefined, changes: EventChanges): Promise<number> {
    if (!this.target) throw new Error('the sandbox has no webhook to send events to')
    if (paymentIntentId === undefined && changes.body === undefined)
      throw new Error('an event about no known session needs a body')
    const body = changes.body ?? this.#bodyOf(paymentIntentId ?? '')
    return await this.#attempt(this.target, {
      id: changes.id ?? newEventId(),
      body: typeof body === 'string' ? body : JSON.stringify(body),
      attempt: 1,
      changes,
    })
  }

  /** Resolves once no attempt is waiting to be made or answered, retries aside that are still ahead. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Forgets every retry and breaks off what is under way. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.settled()
  }

  #bodyOf(paymentIntentId: string): string {
    return JSON.stringify({
      ...(this.delivery.withoutEventKey ? {} : { event: 'payment_intent.updated' }),
      payment_intent_id: paymentIntentId,
    })
  }

  async #deliverAll(events: readonly { id: string; body: string }[], delayMs: number): Promise<void> {
    await this.#wait(delayMs)
    for (const { id, body } of events) await this.#deliver(id, body, 1)
  }

  async #deliver(id: string, body: string, attempt: number): Promise<void> {
    if (!this.target || this.#closing.signal.aborted) return
    const status = await this.#attempt(this.target, { id, body, attempt, changes: {} }).catch(() => undefined)
    if (status !== undefined && status >= 200 && status < 300) return
    const delayMs = (this.#options.retryAfterMs ?? RETRY_AFTER_MS)[attempt - 1]
    if (delayMs === undefined) return
    // Not awaited: a retry may be hours away, and must hold up neither the next event nor the process's end.
    void this.#wait(delayMs).then(() => this.#track(this.#deliver(id, body, attempt + 1)))
  }

  async #attempt(
    target: WebhookTarget,
    event: { id: string; body: string; attempt: number; changes: EventChanges },
  ): Promise<number> {
    const { id, body, attempt, changes } = event
    const sentAt = this.#options.now()
    const headers = this.#headersOf(changes.secret ?? target.secret, id, body, changes, sentAt)
    const record: DeliveryAttempt = { id, attempt, sentAt, headers, body, outcome: 'unreachable' }
    this.deliveries.push(record)
    const timeout = AbortSignal.timeout(this.#options.answerWithinMs ?? ANSWER_WITHIN_MS)
    const signal = AbortSignal.any([this.#closing.signal, timeout])
    const response = await fetch(target.url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    await response.arrayBuffer()
    record.outcome = response.status
    return response.status
  }

  #headersOf(secret: string, id: string, body: string, changes: EventChanges, sentAt: Date) {
    const timestamp = changes.timestamp ?? Math.floor(sentAt.getTime() / 1000)
    const signed = { id, timestamp: String(timestamp), signature: signatureOf(secret, id, timestamp, body) }
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    for (const [name, value] of Object.entries(signed)) {
      headers[`svix-${name}`] = value
      if (this.delivery.alsoWebhookHeaders) headers[`webhook-${name}`] = value
    }
    for (const [name, value] of Object.entries(changes.headers ?? {})) {
      if (value === undefined) delete headers[name]
      else headers[name] = value
    }
    return headers
  }

  /** Resolves when the time is over or the sandbox closes, whichever comes first. */
  async #wait(delayMs: number): Promise<void> {
    const { signal } = this.#closing
    await sleep(delayMs, undefined, { ref: false, signal }).catch(() => undefined)
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work)
    void work.finally(() => this.#underWay.delete(work))
  }
}

function newEventId(): string {
  return `msg_${randomUUID().replaceAll('-', '')}`
}

/** Fisher and Yates' shuffle, in place. */
function shuffle<Item>(items: Item[], random: () => number): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const [moved] = items.splice(other, 1)
    if (moved !== undefined) items.splice(last, 0, moved)
  }
}
