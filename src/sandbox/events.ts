import { createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** The schedule of Svix, which delivers for Dots. */
const RETRY_AFTER_MS = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map((s) => s * 1000)

/** Where events go. `secret` is `whsec_` and the base64 key. */
export interface WebhookTarget {
  url: string
  secret: string
}

const newEventId = () => `msg_${randomUUID().replaceAll('-', '')}`

/** One attempt to deliver an event. */
interface DeliveryAttempt {
  id: string
  body: string
  /** 1 for the first. */
  attempt: number
  sentAt: Date
  headers: Record<string, string>
  /** The status of the answer, or why there is none. */
  outcome: number | 'lost' | 'unreachable'
}
type Event = Pick<DeliveryAttempt, 'id' | 'body' | 'attempt'>

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
  webhook?: WebhookTarget
  now: () => Date
  random: () => number
  /** Milliseconds between the attempts to deliver one event. Default: Svix's schedule. */
  retryAfterMs?: readonly number[]
  /** Milliseconds in which a webhook has to answer with a 2xx. Default 15,000. */
  answerWithinMs?: number
  /** Sends the events; the simulation has no network. */
  fetch?: typeof fetch
}

/**
 * Signs the way Svix does: HMAC-SHA256 over `id.timestamp.body` under the base64 key after `whsec_`
 * (docs.svix.com/receiving/verifying-payloads/how-manual). `timestamp` is in Unix seconds.
 */
export function signatureOf(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/** Sends events to the webhook, tries failed ones again, and keeps a list of all attempts. */
export function eventSender(options: EventSenderOptions) {
  const { webhook, now, random, retryAfterMs = RETRY_AFTER_MS, answerWithinMs = 15_000 } = options
  const { fetch = globalThis.fetch } = options
  const closing = new AbortController()
  const underWay = new Set<Promise<void>>()
  const deliveries: DeliveryAttempt[] = []
  /** The faults of event delivery; each may be changed while the sandbox runs. */
  const delivery = {
    /** Share of events, 0 to 1, that are never sent at all. */
    lose: 0,
    /** Share of events, 0 to 1, that are sent twice under one id. */
    double: 0,
    /** Milliseconds before the first event of a payment is sent. */
    delayMs: 0,
    /** Whether the events of one payment are sent in a random order. */
    shuffle: false,
    /** Whether `webhook-…` headers are sent beside the `svix-…` ones. */
    alsoWebhookHeaders: false,
    /** Whether the body holds nothing but the payment intent's id, as with some of Dots' events. */
    withoutEventKey: false,
  }
  const sender = { webhook, deliveries, delivery, announce, sendNow, settled, close }

  /** Starts to send the two events of a payment (under way, succeeded), and does not wait for the answers. */
  function announce(paymentIntentId: string): void {
    if (!sender.webhook) return
    const events = Array.from({ length: 2 }).flatMap(() => {
      const event = { id: newEventId(), body: bodyOf(paymentIntentId), attempt: 1 }
      if (random() < delivery.lose) {
        deliveries.push({ ...event, sentAt: now(), headers: {}, outcome: 'lost' })
        return []
      }
      return random() < delivery.double ? [event, event] : [event]
    })
    // Each step moves one of those that are left to the end.
    for (let left = delivery.shuffle ? events.length : 0; left > 0; left--)
      events.push(...events.splice(Math.floor(random() * left), 1))
    track(deliverAll(events))
  }

  /** Sends one event now, once. Resolves to the status of the answer; rejects where none came. */
  async function sendNow(paymentIntentId: string | undefined, changes: EventChanges): Promise<number> {
    if (!sender.webhook) throw new Error('the sandbox has no webhook to send events to')
    if (paymentIntentId === undefined && changes.body === undefined)
      throw new Error('an event about no known session needs a body')
    const { id = newEventId(), body = bodyOf(paymentIntentId ?? '') } = changes
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return await send(sender.webhook, { id, body: text, attempt: 1 }, changes)
  }

  /** Resolves once no attempt is waiting to be made or answered; retries that are still ahead do not count. */
  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay)
  }

  /** Forgets every retry and aborts the attempts under way. */
  function close(): Promise<void> {
    closing.abort()
    return settled()
  }

  function bodyOf(paymentIntentId: string): string {
    const event = delivery.withoutEventKey ? undefined : 'payment_intent.updated'
    return JSON.stringify({ event, payment_intent_id: paymentIntentId })
  }

  async function deliverAll(events: readonly Event[]): Promise<void> {
    await wait(delivery.delayMs)
    for (const event of events) await deliver(event)
  }

  async function deliver(event: Event): Promise<void> {
    if (!sender.webhook || closing.signal.aborted) return
    const status = await send(sender.webhook, event).catch(() => 0)
    const delayMs = retryAfterMs[event.attempt - 1]
    if ((status >= 200 && status < 300) || delayMs === undefined) return
    // Not awaited: a retry may be hours away, and must delay neither the next event nor the process's end.
    void wait(delayMs).then(() => track(deliver({ ...event, attempt: event.attempt + 1 })))
  }

  async function send({ url, secret }: WebhookTarget, event: Event, changes: EventChanges = {}) {
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
