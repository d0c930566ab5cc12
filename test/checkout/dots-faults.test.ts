import { expect, test } from 'vitest'
import type { CannedAnswer } from '../../src/sandbox/faults.ts'
import { CREDENTIALS, freePort, type Service, type ServiceOptions, startService } from '../service.ts'
import { EVERY_TIME, expectPage, logLineOf, rowsOf, sessionAt, unescaped } from './clicks.ts'

const UPSTREAM = 'upstream-words-that-nobody-may-see'
const BODY = { error: { code: 'resource-busy', message: UPSTREAM, trace: CREDENTIALS.apiKey } }
/** What the shop says where Dots named no time of its own. */
const SOON = /^[1-9]\d?$/

interface Outcome {
  code: string
  /** `null`: waiting does not mend it, so the header is absent. */
  retryAfter: RegExp | null
  row: 'failed' | 'unknown'
  level: 'warn' | 'error'
}

const BUSY = { code: 'dots-unavailable', retryAfter: SOON, level: 'warn' } as const
const LIMITED = { ...BUSY, code: 'dots-rate-limited', row: 'failed' } as const
const REFUSED = { code: 'dots-request-refused', retryAfter: null, row: 'failed', level: 'error' } as const
const NO_KEY = { code: 'dots-credentials-refused', retryAfter: null, row: 'failed', level: 'error' } as const
const LOST = { code: 'dots-connection-lost', retryAfter: SOON, row: 'unknown', level: 'warn' } as const
const NONSENSE = { code: 'dots-invalid-response', retryAfter: null, row: 'unknown', level: 'error' } as const
const UNSAFE = { code: 'dots-unsafe-url', retryAfter: null, row: 'unknown', level: 'error' } as const
const LEVELS = { warn: 40, error: 50 }

/** Clicks, and checks what the buyer sees, what the log says and what the store keeps. */
async function expectFault(shop: Service, { code, retryAfter, row, level }: Outcome): Promise<void> {
  const path = '/buy/tee?quantity=2&email=jane@example.com'
  const answer = await shop.get(path)
  expect(answer.headers.get('location')).toBe(null)
  const wait = answer.headers.get('retry-after')
  if (retryAfter === null) expect(wait).toBe(null)
  else expect(wait).toMatch(retryAfter)
  const { text, reference } = await expectPage(answer, 503)
  expect(text).toContain('You have not been charged')
  expect(unescaped(text)).toContain(`href="${path}"`)
  expect(text).toContain('Try again')
  expect(logLineOf(shop, reference)).toMatchObject({ status: 503, code, level: LEVELS[level] })
  const rows = rowsOf(shop)
  expect(rows).toHaveLength(1)
  expect(rows[0]).toMatchObject({ state: row, failure: code, amount_total: 5000 })
  for (const secret of [
    UPSTREAM,
    CREDENTIALS.apiKey,
    btoa(`${CREDENTIALS.clientId}:${CREDENTIALS.apiKey}`),
  ]) {
    expect(text).not.toContain(secret)
    expect(JSON.stringify([...answer.headers])).not.toContain(secret)
    expect(shop.logText()).not.toContain(secret)
  }
  expect(shop.logText()).not.toContain('jane')
  expect(shop.logText()).not.toContain('"stack"')
}

const status = (code: number, headers: Record<string, string> = {}): CannedAnswer => ({
  status: code,
  headers,
  body: BODY,
})

const faults: [what: string, fault: CannedAnswer, outcome: Outcome][] = [
  ['400', status(400), REFUSED],
  ['422', status(422), REFUSED],
  ['401', status(401), NO_KEY],
  ['403', status(403), NO_KEY],
  ['404', status(404), { ...REFUSED, code: 'dots-not-found' }],
  ['302', status(302, { location: 'https://evil.example/' }), REFUSED],
  ['409', status(409), { ...BUSY, code: 'dots-conflict', row: 'failed' }],
  ['429', status(429), LIMITED],
  ['429 that says 30 s', status(429, { 'retry-after': '30' }), { ...LIMITED, retryAfter: /^(?:29|30)$/ }],
  [
    '429 that says an hour',
    status(429, { 'retry-after': '3600' }),
    { ...LIMITED, retryAfter: /^1(?:19|20)$/ },
  ],
  ['429 that says nonsense', status(429, { 'retry-after': 'soon' }), LIMITED],
  ['500', status(500), { ...BUSY, row: 'unknown' }],
  ['502 in HTML', { status: 502, body: `<h1>${UPSTREAM}</h1>` }, { ...BUSY, row: 'unknown' }],
  ['503', status(503), { ...BUSY, row: 'unknown' }],
  [
    '503 that says 40 s',
    status(503, { 'retry-after': '40' }),
    { ...BUSY, row: 'unknown', retryAfter: /^(?:39|40)$/ },
  ],
  ['504', status(504), { ...BUSY, row: 'unknown' }],
  ['a reset', 'reset', LOST],
  ['a reset after the session was opened', 'done-then-reset', LOST],
  ['a reset in the body', 'reset-in-body', LOST],
  ['a page in place of JSON', { status: 200, body: `<h1>${UPSTREAM}</h1>` }, NONSENSE],
  ['JSON of another type', { status: 200, headers: { 'content-type': 'text/plain' }, body: '{}' }, NONSENSE],
  [
    'half of some JSON',
    { status: 200, headers: { 'content-type': 'application/json' }, body: '{"id":' },
    NONSENSE,
  ],
  ['a list', { status: 200, body: [] }, NONSENSE],
  ['null', { status: 200, headers: { 'content-type': 'application/json' }, body: 'null' }, NONSENSE],
  ['nothing', { status: 204, body: '' }, NONSENSE],
  ['a body over 64 KiB', { alter: (body) => ({ ...body, more: 'x'.repeat(65 * 1024) }) }, NONSENSE],
  ['no checkout_session_url', sessionAt(undefined), NONSENSE],
  ['a checkout_session_url of null', sessionAt(null), NONSENSE],
  ['a checkout_session_url that is a number', sessionAt(7), NONSENSE],
  ['an address that is a script', sessionAt('javascript:alert(1)'), UNSAFE],
  ['an address of data', sessionAt('data:text/html,hi'), UNSAFE],
  ['an address without a scheme', sessionAt('//evil.example/pay'), UNSAFE],
  ['a path', sessionAt('/pay'), UNSAFE],
  ['an address without a host', sessionAt('https://'), UNSAFE],
  ['an address with credentials', sessionAt('https://dots.dev@evil.example/pay'), UNSAFE],
  ['an http address with credentials', sessionAt('http://user:pass@evil.example/pay'), UNSAFE],
]

test.each(faults)(
  'Dots answers a click with %s: the buyer is told, the row is kept',
  async (_what, fault, outcome) => {
    const shop = await startService()
    shop.sandbox.failNext(fault, EVERY_TIME, 'create')
    await expectFault(shop, outcome)
  },
)

test('a date in Retry-After becomes the seconds that remain', async () => {
  const shop = await startService()
  const date = new Date(Date.now() + 20_000).toUTCString()
  shop.sandbox.failNext(status(429, { 'retry-after': date }), EVERY_TIME, 'create')
  await expectFault(shop, { ...LIMITED, retryAfter: /^(?:1\d|20)$/ })
})

test.each([
  'https://evil.example/pay',
  'https://pay.dots.example.evil.example/',
  'https://xpay.dots.example/',
])('with CHECKOUT_HOSTS the buyer is not sent to %s', async (url) => {
  const shop = await startService({ env: { CHECKOUT_HOSTS: 'pay.dots.example, other.example' } })
  shop.sandbox.failNext(sessionAt(url), EVERY_TIME, 'create')
  await expectFault(shop, UNSAFE)
})

test.each(['https://pay.dots.example/c/1', 'https://PAY.dots.example:8443/c/1', 'https://other.example/'])(
  'with CHECKOUT_HOSTS the buyer is sent to %s',
  async (url) => {
    const shop = await startService({ env: { CHECKOUT_HOSTS: 'pay.dots.example, other.example' } })
    shop.sandbox.failNext(sessionAt(url), 1, 'create')
    const answer = await shop.get('/buy/tee')
    expect([answer.status, answer.headers.get('location')]).toEqual([302, new URL(url).href])
  },
)

test('an answer with nothing but its address is a success, whatever its 2xx and unknown fields', async () => {
  const shop = await startService()
  const body = { checkout_session_url: 'https://pay.dots.example/1', status: 7, expiry: null, metadata: 'no' }
  shop.sandbox.failNext({ status: 201, body }, 1, 'create')
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(rowsOf(shop)[0]).toMatchObject({
    state: 'open',
    session_id: null,
    checkout_url: body.checkout_session_url,
  })
})

test('Dots refuses the connection: the buyer is told, and no session can exist', async () => {
  const env = { DOTS_API_URL: `http://127.0.0.1:${await freePort()}/api` }
  const shop = await startService({ env })
  await expectFault(shop, { code: 'dots-unreachable', retryAfter: SOON, row: 'failed', level: 'warn' })
})

test('Dots does not answer at all: the buyer is told before giving up', async () => {
  const shop = await startService()
  shop.sandbox.failNext('hang', EVERY_TIME, 'create')
  const start = performance.now()
  await expectFault(shop, { code: 'dots-timeout', retryAfter: SOON, row: 'unknown', level: 'warn' })
  // 8 s bound the whole click; the rest is for a slow machine.
  expect(performance.now() - start).toBeLessThan(9_000)
})

test("the code of Dots' refusal is in the log for the merchant, its words are not", async () => {
  const shop = await startService()
  shop.sandbox.failNext(status(400), EVERY_TIME, 'create')
  const { reference } = await expectPage(await shop.get('/buy/tee'), 503)
  expect(logLineOf(shop, reference)).toMatchObject({
    dotsCode: 'resource-busy',
    items: 'tee:1',
    amountTotal: 2500,
  })
})

async function readyz(shop: Service): Promise<{ status: number; body: unknown }> {
  const answer = await shop.get('/readyz')
  return { status: answer.status, body: await answer.json() }
}

test('refused credentials make the service unready until a call succeeds', async () => {
  const shop = await startService()
  expect(await readyz(shop)).toMatchObject({ status: 200 })
  shop.sandbox.failNext(status(401), 1, 'create')
  await expectPage(await shop.get('/buy/tee'), 503)
  expect(await readyz(shop)).toMatchObject({
    status: 503,
    body: { status: 'not-ready', parts: { dots: { status: 'credentials-refused' } } },
  })
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { parts: { dots: { status: 'ok' } } } })
})

test('a wrong key in the settings does the same, and the key is in no log', async () => {
  const options: ServiceOptions = { env: { DOTS_API_KEY: 'another-key-0b9c' } }
  const shop = await startService(options)
  await expectFault(shop, NO_KEY)
  expect((await readyz(shop)).status).toBe(503)
  expect(shop.logText()).not.toContain('another-key-0b9c')
})

test('a click that fails can be tried again', async () => {
  const shop = await startService()
  shop.sandbox.failNext(status(400), 1, 'create')
  expect((await shop.get('/buy/tee')).status).toBe(503)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(
    rowsOf(shop)
      .map(({ state }) => state)
      .sort(),
  ).toEqual(['failed', 'open'])
})
