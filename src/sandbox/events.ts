import { createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

// The schedule of Svix, which delivers for Dots.
const RETRY_AFTER_MS = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map((s) => s * 1000)

// An attempt without a 2xx in this time has failed.
const ANSWER_WITHIN_MS = 15_000

/** Where events go. `secret` is `whsec_` and the base64 key. */
export interface WebhookTarget {
  url: string
  secret: string
}

/** The faults of event delivery; each may be changed while the sandbox runs. */
export interface Delivery {
  /** Share of events, 0 to 1, that are never sent at all. */
  lose: number
  /** Share of events, 0 to 1, that are sent twice under one id. */
  double: number
  /** Milliseconds before the first event of a payment is sent. */
  delayMs: number
  /** Whether the events of one payment are sent in a random order. */
  shuffle: boolean
  /** Whether `webhook-…` headers are sent beside the `svix-…` ones. */
  alsoWebhookHeaders: boolean
  /** Whether the body holds nothing but the payment intent's id, as with some of Dots' events. */
  withoutEventKey: boolean
}

interface Event {
  id: string
  body: string
  /** 1 for the first. */
  attempt: number
}

/** One attempt to deliver an event, and what came of it: the status, or why there is none. */
export interface DeliveryAttempt extends Event {
  sentAt: Date
  headers: Record<string, string>
  outcome: number | 'lost' | 'unreachable'
}

/** Changes to one event sent by hand; what is left out is as Dots would send it. */
export interface EventChanges {
  id?: string
  /** Unix seconds. */
  timestamp?: number
  /** The raw body, or an object to be sent as JSON. */
  body?: string | Record<string, unknown>
  /** Signs with another secret than the target's. */
  secret?: string
  /** Added to, or put in place of, the headers; undefined takes one away. */
  headers?: Record<string, string | undefined>
}

export interface EventSenderOptions {
  now: () => Date
  random: () => number
  /** Milliseconds between the attempts to deliver one event. Default: Svix's schedule. */
  retryAfterMs?: readonly number[]
  /** Milliseconds that a webhook has for its answer. Default 15,000. */
  answerWithinMs?: number
}

/**
 * Signs the way Svix does: HMAC-SHA256 over `id.timestamp.body` under the base64 key after `whsec_`
 * (docs.svix.com/receiving/verifying-payloads/how-manual). `timestamp` is in Unix seconds.
 */
export function signatureOf(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/** Sends events to `target`, tries failed ones again, and keeps a list of all attempts. */
export function eventSender(
  target: WebhookTarget | undefined,
  { now, random, retryAfterMs = RETRY_AFTER_MS, answerWithinMs = ANSWER_WITHIN_MS }: EventSenderOptions,
) {
  const closing = new AbortController()
  const underWay = new Set<Promise<void>>()
  const deliveries: DeliveryAttempt[] = []
  const delivery: Delivery = {
    lose: 0,
    double: 0,
    delayMs: 0,
    shuffle: false,
    alsoWebhookHeaders: false,
    withoutEventKey: false,
  }
  const sender = { target, deliveries, delivery, announce, sendNow, settled, close }

  /** Starts to send the events of a payment, one for each step that it took, and does not wait for the answers. */
  function announce(paymentIntentId: string, steps: number): void {
    if (!sender.target) return
    const events = Array.from({ length: steps }).flatMap(() => {
      const event = { id: newEventId(), body: bodyOf(paymentIntentId), attempt: 1 }
      if (random() < delivery.lose) {
        deliveries.push({ ...event, sentAt: now(), headers: {}, outcome: 'lost' })
        return []
      }
      return random() < delivery.double ? [event, event] : [event]
    })
    if (delivery.shuffle) shuffle(events, random)
    track(deliverAll(events, delivery.delayMs))
  }

  /** Sends one event now, once. Resolves to the status of the answer; rejects where none came. */
  async function sendNow(paymentIntentId: string | undefined, changes: EventChanges): Promise<number> {
    if (!sender.target) throw new Error('the sandbox has no webhook to send events to')
    if (paymentIntentId === undefined && changes.body === undefined)
      throw new Error('an event about no known session needs a body')
    const { id = newEventId(), body = bodyOf(paymentIntentId ?? '') } = changes
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return await send(sender.target, { id, body: text, attempt: 1 }, changes)
  }

  /** Resolves once no attempt is waiting to be made or answered; retries that are still ahead do not count. */
  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay)
  }

  /** Forgets every retry and aborts the attempts under way. */
  async function close(): Promise<void> {
    closing.abort()
    await settled()
  }

  function bodyOf(paymentIntentId: string): string {
    const event = delivery.withoutEventKey ? undefined : 'payment_intent.updated'
    return JSON.stringify({ event, payment_intent_id: paymentIntentId })
  }

  async function deliverAll(events: readonly Event[], delayMs: number): Promise<void> {
    await wait(delayMs)
    for (const event of events) await deliver(event)
  }

  async function deliver(event: Event): Promise<void> {
    if (!sender.target || closing.signal.aborted) return
    const status = await send(sender.target, event).catch(() => 0)
    const delayMs = retryAfterMs[event.attempt - 1]
    if ((status >= 200 && status < 300) || delayMs === undefined) return
    // Not awaited: a retry may be hours away, and must delay neither the next event nor the process's end.
    void wait(delayMs).then(() => track(deliver({ ...event, attempt: event.attempt + 1 })))
  }

  async function send(
    { url, secret }: WebhookTarget,
    event: Event,
    changes: EventChanges = {},
  ): Promise<number> {
    const { id, body } = event
    const sentAt = now()
    const { timestamp = Math.floor(sentAt.getTime() / 1000) } = changes
    const signature = signatureOf(changes.secret ?? secret, id, timestamp, body)
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    for (const [name, value] of Object.entries({ id, timestamp: String(timestamp), signature })) {
      headers[`svix-${name}`] = value
      if (delivery.alsoWebhookHeaders) headers[`webhook-${name}`] = value
    }
    for (const [name, value] of Object.entries(changes.headers ?? {})) {
      if (value === undefined) delete headers[name]
      else headers[name] = value
    }
    const record: DeliveryAttempt = { ...event, sentAt, headers, outcome: 'unreachable' }
    deliveries.push(record)
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(answerWithinMs)])
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    await response.arrayBuffer()
    record.outcome = response.status
    return response.status
  }

  /** Resolves when the time is over or the sandbox closes, whichever comes first. */
  function wait(delayMs: number): Promise<void> {
    return sleep(delayMs, undefined, { ref: false, signal: closing.signal }).catch(() => undefined)
  }

  function track(work: Promise<void>): void {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }

  return sender
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
