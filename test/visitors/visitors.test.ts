import { request } from 'undici'
import { expect, test } from 'vitest'
import { sessionsOf } from '../checkout/clicks.ts'
import { type Service, startService } from '../service.ts'
import type { Client } from './client.ts'
import { CLIENTS } from './clients.ts'

/** As wide as a terminal shows without breaking lines. */
const SHOWN_AGENT = 60

interface Answer {
  status: number
  /** What it was, by its headers and body alone. */
  kind: 'redirect to the checkout' | 'product page' | 'no body' | 'something else'
  sessions: number
}

const EXPECTED: Record<Client['gets'], Answer> = {
  checkout: { status: 302, kind: 'redirect to the checkout', sessions: 1 },
  preview: { status: 200, kind: 'product page', sessions: 0 },
  'no body': { status: 200, kind: 'no body', sessions: 0 },
  'prefetch refused': { status: 503, kind: 'no body', sessions: 0 },
  'subresource refused': { status: 403, kind: 'no body', sessions: 0 },
}

test('the table has every kind of client, and no row twice', () => {
  const rows = CLIENTS.map(({ agent, headers, method }) => JSON.stringify([agent, headers, method]))
  expect(new Set(rows).size).toBe(rows.length)
  expect(rows.length).toBeGreaterThanOrEqual(60)
  expect(new Set(CLIENTS.map(({ gets }) => gets)).size).toBe(Object.keys(EXPECTED).length)
})

test('people and their tools reach the checkout, and programs that show or index links open no session', async () => {
  const shop = await startService()
  const answers = new Map<Client, Answer>()
  for (const client of CLIENTS) answers.set(client, await send(shop, client))
  console.log(tableOf(answers))
  for (const [{ who, gets }, answer] of answers)
    expect.soft({ who, ...answer }).toEqual({ who, ...EXPECTED[gets] })
})

async function send(shop: Service, { agent, headers: more, method = 'GET' }: Client): Promise<Answer> {
  const before = shop.sandbox.sessions.size
  // Unlike fetch it sends these headers and no other, the forbidden ones included.
  const { statusCode, headers, body } = await request(`${shop.url}/buy/tee`, {
    method,
    headers: { ...(agent !== undefined && { 'user-agent': agent }), ...more },
  })
  const text = await body.text()
  const sessions = shop.sandbox.sessions.size - before
  return { status: statusCode, kind: kindOf(shop, headers.location, text), sessions }
}

function kindOf(shop: Service, location: unknown, text: string): Answer['kind'] {
  const newest = sessionsOf(shop).at(-1)?.checkout_session_url
  if (newest !== undefined && location === newest) return 'redirect to the checkout'
  if (text === '') return 'no body'
  const isProduct =
    text.includes('property="og:title"') && text.includes('<form method="post" action="/buy/tee">')
  return isProduct && !text.includes('href="/buy') ? 'product page' : 'something else'
}

function tableOf(answers: ReadonlyMap<Client, Answer>): string {
  const rows = Array.from(
    answers,
    ([{ who, agent, headers, method = 'GET' }, { status, kind, sessions }]) => [
      method,
      who,
      `${status}`,
      kind,
      `${sessions}`,
      [fetchHeaders(headers), agent === undefined ? '(none)' : shorten(agent)].join(' '),
    ],
  )
  const titles = ['method', 'who', 'status', 'answer', 'sessions', 'headers and agent']
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [titles, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('\n')
}

/** Most agents begin alike and say at their end who they are. */
function shorten(agent: string): string {
  return agent.length <= SHOWN_AGENT ? agent : `…${agent.slice(1 - SHOWN_AGENT)}`
}

/** The headers that make a difference, in short. */
function fetchHeaders(headers: Record<string, string> = {}): string {
  const telling = ['sec-fetch-dest', 'sec-fetch-mode', 'sec-purpose', 'purpose', 'x-moz']
  return `[${telling.flatMap((name) => (headers[name] === undefined ? [] : `${name.replace('sec-fetch-', '')}=${headers[name]}`)).join(' ')}]`
}
