import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import type { CannedAnswer } from '../../src/sandbox/faults.ts'
import type { SandboxSession } from '../../src/sandbox/sessions.ts'
import type { Checkout } from '../../src/store/checkout.ts'
import type { Service } from '../service.ts'

/** More than the calls that one click may make, retries included: a fault ordered so often is met every time. */
export const EVERY_TIME = 9

/** What every answer of the buy and return routes carries, whatever its status. */
export function expectBuyHeaders(answer: Response, what = ''): void {
  const seen = (name: string) => `${what} ${name}: ${answer.headers.get(name)}`
  expect(seen('cache-control')).toBe(`${what} cache-control: no-store`)
  expect(seen('referrer-policy')).toBe(`${what} referrer-policy: no-referrer`)
  expect(seen('x-robots-tag')).toBe(`${what} x-robots-tag: noindex`)
  expect(seen('x-content-type-options')).toBe(`${what} x-content-type-options: nosniff`)
}

/** Reads an answer that must be a page with a reference. */
export async function expectPage(
  answer: Response,
  status: number,
): Promise<{ text: string; reference: string }> {
  const text = await answer.text()
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expectBuyHeaders(answer)
  const reference = /(?:Reference|Order reference) <code>([^<]+)<\/code>/.exec(text)?.[1]
  if (reference === undefined) throw new Error(`the page shows no reference: ${text}`)
  return { text, reference }
}

/** The text of a page as a browser reads it, its tags left in. */
export function unescaped(page: string): string {
  return page.replace(/&#(\d+);/g, (_entity, code) => String.fromCodePoint(Number(code)))
}

/** The one log line that has this request id. */
export function logLineOf(shop: Service, reference: string): Record<string, unknown> {
  const [line, ...more] = shop.log.filter((entry) => entry.requestId === reference && 'route' in entry)
  if (line === undefined || more.length > 0) throw new Error(`${more.length + 1} log lines for ${reference}`)
  return line
}

/** The sessions of the sandbox, oldest first. */
export function sessionsOf(shop: Service): SandboxSession[] {
  return [...shop.sandbox.sessions.values()]
}

/** The request for the newest session. */
export function lastAsked(shop: Service): SandboxSession['asked'] {
  const session = sessionsOf(shop).at(-1)
  if (session === undefined) throw new Error('no session was opened')
  return session.asked
}

/** The checkouts table, read by another connection than the service's own. */
export function rowsOf(shop: Service): Record<string, unknown>[] {
  const database = new DatabaseSync(shop.databasePath, { readOnly: true })
  try {
    return database.prepare('select * from checkouts order by created_at').all()
  } finally {
    database.close()
  }
}

export interface Click {
  checkoutId: string
  session: SandboxSession
}

/** Clicks a link; returns the checkout and its session. */
export async function click(shop: Service, path = '/buy/tee', init?: RequestInit): Promise<Click> {
  const answer = await shop.get(path, init)
  expect([302, 303]).toContain(answer.status)
  const session = sessionsOf(shop).find((one) => one.checkout_session_url === answer.headers.get('location'))
  const checkoutId = session?.metadata?.checkout_id
  if (session === undefined || checkoutId === undefined) throw new Error('the click led to no session')
  return { checkoutId, session }
}

/** The stored checkout. */
export async function checkoutOf(shop: Service, id: string): Promise<Checkout> {
  const checkout = await shop.services.store.checkouts.find(id)
  if (checkout === undefined) throw new Error(`no checkout ${id}`)
  return checkout
}

/** A fault that opens the session, and returns another checkout URL. */
export function sessionAt(url: unknown): CannedAnswer {
  return { alter: (body) => ({ ...body, checkout_session_url: url }) }
}
