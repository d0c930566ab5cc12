import { expect, test } from 'vitest'
import { expectPage, logLineOf, rowsOf, unescaped } from '../checkout/clicks.ts'
import { CREDENTIALS, type Service, type ServiceOptions, startService } from '../service.ts'
import type { FaultCase, Outcome } from './matrix.ts'

const CONTACT = 'help@shop.example'
const LINK = '/buy/tee?quantity=2&email=jane@example.com'
/** Words of Dots, which neither a page nor the log may contain. */
export const UPSTREAM = 'upstream-words-that-nobody-may-see'
const LEVELS = { info: 30, warn: 40, error: 50 }

/** A shop whose pages have a support email. */
export function shopWithContact(options: ServiceOptions = {}): Promise<Service> {
  return startService({ ...options, env: { SUPPORT_EMAIL: CONTACT, ...options.env } })
}

export interface ExpectedPage {
  code: string
  /** Whether waiting helps, and how long it takes in seconds where that is known. */
  retryAfter: boolean | readonly [least: number, most: number]
  level: 'warn' | 'error'
  /** State of the newest row; its reason is `code`. */
  row: 'failed' | 'unknown'
}

/** Clicks, and checks the page that says "you have not been charged", its log line and its row. */
export async function expectProblem(shop: Service, expected: ExpectedPage): Promise<Outcome> {
  const answer = await shop.get(LINK)
  const wait = answer.headers.get('retry-after')
  const { text, reference } = await expectPage(answer, 503)
  expect(answer.headers.get('location')).toBe(null)
  for (const part of ['You have not been charged', 'Try again', `href="${LINK}"`, `mailto:${CONTACT}`])
    expect(unescaped(text)).toContain(part)
  if (expected.retryAfter === false) expect(wait).toBe(null)
  else {
    const [least, most] = expected.retryAfter === true ? [1, 120] : expected.retryAfter
    expect(wait).toMatch(/^\d+$/)
    expect(Number(wait)).toBeGreaterThanOrEqual(least)
    expect(Number(wait)).toBeLessThanOrEqual(most)
  }
  const { code, level } = expected
  expect(logLineOf(shop, reference)).toMatchObject({ status: 503, code, level: LEVELS[level] })
  expectNoSecrets(shop, text + JSON.stringify([...answer.headers]))
  // It is written after the answer.
  await expect
    .poll(() => rowsOf(shop).at(-1))
    .toMatchObject({ state: expected.row, failure: code, amount_total: 5000 })
  const row = rowsOf(shop).at(-1)
  return {
    buyer: wait === null ? '503: not charged, contact the shop' : `503: not charged, try again in ${wait} s`,
    store: `row ${row?.state} (${row?.failure})`,
  }
}

/** Neither what the buyer got nor the log has a secret, Dots' own words, a buyer's email or a stack. */
export function expectNoSecrets(shop: Service, shown = ''): void {
  const basic = btoa(`${CREDENTIALS.clientId}:${CREDENTIALS.apiKey}`)
  for (const secret of [UPSTREAM, CREDENTIALS.apiKey, basic]) {
    expect(shown).not.toContain(secret)
    expect(shop.logText()).not.toContain(secret)
  }
  expect(shop.logText()).not.toContain('jane')
  expect(shop.logText()).not.toContain('"stack"')
}

export async function readyz(shop: Pick<Service, 'get'>): Promise<{ status: number; body: unknown }> {
  const answer = await shop.get('/readyz')
  return { status: answer.status, body: await answer.json() }
}

/** How many calls of a kind have reached the sandbox. */
export function calls(shop: Pick<Service, 'sandbox'>, call = 'create'): number {
  return shop.sandbox.requests.filter((request) => request.call === call).length
}

/** How many rows are in which state. */
export function states(rows: readonly Record<string, unknown>[]): string {
  const counts = new Map<unknown, number>()
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1)
  return rows.length === 0 ? 'no row' : Array.from(counts, ([state, n]) => `${n} ${state}`).join(', ')
}

/** A test for each case; its row goes into the table that the reporter prints. */
export function tryFaults(cases: readonly FaultCase[]): void {
  for (const { fault, injected, run } of cases) {
    test(`${fault}: ${injected}`, { timeout: 60_000 }, async ({ task }) => {
      task.meta.triedFault = { fault, injected, buyer: 'FAILED', store: 'FAILED' }
      task.meta.triedFault = { fault, injected, ...(await run()) }
    })
  }
}
