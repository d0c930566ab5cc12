import { createServer } from 'node:https'
import { expect } from 'vitest'
import type { CannedAnswer } from '../../src/sandbox/faults.ts'
import { click, EVERY_TIME, rowsOf, sessionAt } from '../checkout/clicks.ts'
import { selfSigned } from '../dots/self-signed.ts'
import { failureOf, listen, raw } from '../dots/servers.ts'
import { IDLE_JOBS, movableClock } from '../orders/sale.ts'
import { CREDENTIALS, freePort, type Service } from '../service.ts'
import {
  calls,
  type ExpectedPage,
  expectNoSecrets,
  expectProblem,
  readyz,
  shopWithContact,
  tryFaults,
  UPSTREAM,
} from './buyer.ts'
import type { Fault, FaultCase, Outcome } from './matrix.ts'

const BODY = { error: { code: 'resource-busy', message: UPSTREAM, trace: CREDENTIALS.apiKey } }
const answer = (status: number, headers: Record<string, string> = {}): CannedAnswer => ({
  status,
  headers,
  body: BODY,
})

const UNREACHABLE: ExpectedPage = {
  code: 'dots-unreachable',
  retryAfter: true,
  level: 'warn',
  row: 'failed',
}
const UNTRUSTED: ExpectedPage = {
  code: 'dots-certificate-rejected',
  retryAfter: false,
  level: 'error',
  row: 'failed',
}
const TIMEOUT: ExpectedPage = { code: 'dots-timeout', retryAfter: true, level: 'warn', row: 'unknown' }
const LOST: ExpectedPage = { ...TIMEOUT, code: 'dots-connection-lost' }
const REFUSED: ExpectedPage = { ...UNTRUSTED, code: 'dots-request-refused' }
const NO_KEY: ExpectedPage = { ...UNTRUSTED, code: 'dots-credentials-refused' }
const WRONG_URL: ExpectedPage = { ...UNTRUSTED, code: 'dots-wrong-address' }
const BLOCKED: ExpectedPage = { ...UNTRUSTED, code: 'dots-blocked' }
const FIREWALL: CannedAnswer = {
  status: 403,
  headers: { 'content-type': 'text/html' },
  body: `<h1>${UPSTREAM}</h1>`,
}
const BUSY: ExpectedPage = { code: 'dots-unavailable', retryAfter: true, level: 'warn', row: 'failed' }
const FAILING: ExpectedPage = { ...BUSY, row: 'unknown' }
const LIMITED: ExpectedPage = { ...BUSY, code: 'dots-rate-limited' }
const NONSENSE: ExpectedPage = {
  code: 'dots-invalid-response',
  retryAfter: false,
  level: 'error',
  row: 'unknown',
}
const UNSAFE: ExpectedPage = { ...NONSENSE, code: 'dots-unsafe-url' }
const BLOCKED_CALL = { code: 'dots-blocked', logLevel: 'error' }
/** A moment longer than refused creates keep the service unready. */
const RECHECK_SECONDS = 30.1
/** A tenth of the usual timeouts: the case "in real time" has the usual ones. */
const SHORT_TIMEOUTS = { connectMs: 300, firstByteMs: 500 }

/** A click while Dots is at another URL. */
function at(fault: Fault, injected: string, url: () => Promise<string>, page: ExpectedPage): FaultCase {
  return {
    fault,
    injected,
    run: async () => {
      const shop = await shopWithContact({ env: { DOTS_API_URL: await url() }, dots: SHORT_TIMEOUTS })
      return expectProblem(shop, page)
    },
  }
}

/** A click that the sandbox answers like this, however often it is called; and how often that was. */
function answered(
  fault: Fault,
  injected: string,
  canned: CannedAnswer,
  attempts: number,
  page: ExpectedPage,
  env: Record<string, string> = {},
): FaultCase {
  return {
    fault,
    injected,
    run: async () => {
      const shop = await shopWithContact({ dots: SHORT_TIMEOUTS, env })
      shop.sandbox.failNext(canned, EVERY_TIME, 'create')
      const outcome = await expectProblem(shop, page)
      expect(calls(shop)).toBe(attempts)
      return outcome
    },
  }
}

/** A click that one bad answer does not cost. */
function saved(fault: Fault, injected: string, canned: CannedAnswer): FaultCase {
  return {
    fault,
    injected: `${injected}, once`,
    run: async () => {
      const shop = await shopWithContact({ dots: SHORT_TIMEOUTS })
      shop.sandbox.failNext(canned, 1, 'create')
      expect((await shop.get('/buy/tee')).status).toBe(302)
      expect(calls(shop)).toBe(2)
      const [row, ...more] = rowsOf(shop)
      expect([row?.state, more]).toEqual(['open', []])
      return { buyer: '302 by the one retry', store: 'row open' }
    },
  }
}

/** Headers and half a body, and then silence or a reset. */
function halfABody(then: 'silence' | 'reset'): () => Promise<string> {
  return () =>
    raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"id":')
      if (then === 'reset') setTimeout(() => socket.resetAndDestroy(), 50)
    })
}

/** A TLS server with a certificate that no authority has signed. */
async function untrustedServer(): Promise<string> {
  const server = createServer(selfSigned(), (_request, response) => void response.end('{}'))
  return `https://127.0.0.1:${await listen(server)}/api`
}

/** Accepts connections and sends nothing, so that there is no TLS handshake. */
async function silentPort(): Promise<string> {
  return (await raw(() => {})).replace('http:', 'https:')
}

async function silenceInRealTime(): Promise<Outcome> {
  const shop = await shopWithContact()
  shop.sandbox.failNext('hang', EVERY_TIME, 'create')
  const start = performance.now()
  const outcome = await expectProblem(shop, TIMEOUT)
  // A click has eight seconds; the rest is for a busy machine.
  expect(performance.now() - start).toBeLessThan(15_000)
  return outcome
}

const UNREADY = {
  status: 503,
  body: { status: 'not-ready', parts: { dots: { status: 'credentials-refused' } } },
}

/** Nobody clicks while a load balancer sees 503, so `/readyz` has to come back without a click. */
async function createsRefused(): Promise<Outcome> {
  const clock = movableClock()
  const shop = await shopWithContact({ clock: clock.monotonic })
  shop.sandbox.failNext(answer(401), 3, 'create')
  const outcome = await expectProblem(shop, NO_KEY)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  await expectProblem(shop, NO_KEY)
  expect(await readyz(shop)).toMatchObject(UNREADY)
  clock.forward(RECHECK_SECONDS)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'degraded' } })
  await expectProblem(shop, NO_KEY)
  expect(await readyz(shop)).toMatchObject(UNREADY)
  clock.forward(RECHECK_SECONDS)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  expect(credentialsLines(shop)).toMatchObject([{ level: 50, call: 'create' }, { level: 30 }])
  expectNoSecrets(shop)
  return { ...outcome, buyer: `${outcome.buyer}; twice: /readyz 503, then 200 until a click decides` }
}

async function readsRefused(): Promise<Outcome> {
  const shop = await shopWithContact({ dots: { credentialsRecheckMs: 200 } })
  const checkouts = [await click(shop), await click(shop)]
  shop.sandbox.failNext(answer(401), 4, 'read')
  const statuses: unknown[] = []
  for (const { checkoutId } of checkouts) {
    expect((await shop.get(`/success?checkout=${checkoutId}`)).status).toBe(200)
    statuses.push((await readyz(shop)).status)
  }
  expect(statuses).toEqual([200, 503])
  // Without any buyer: the service tries a read by itself until Dots accepts the key.
  await expect.poll(async () => (await readyz(shop)).status).toBe(200)
  expect(calls(shop, 'read')).toBe(5)
  expect(credentialsLines(shop).map(({ level, call }) => [level, call])).toEqual([
    [30, 'create'],
    [50, 'read'],
    [30, 'read'],
  ])
  expectNoSecrets(shop)
  return { buyer: 'a return: 200, "We are confirming"; /readyz 503, then 200 by a read', store: 'row open' }
}

async function behindAFirewall(): Promise<Outcome> {
  const shop = await shopWithContact({ pace: IDLE_JOBS })
  const { checkoutId } = await click(shop)
  for (const call of ['create', 'read', 'list'] as const) shop.sandbox.failNext(FIREWALL, 5, call)
  let outcome: Outcome | undefined
  for (let n = 0; n < 5; n++) {
    outcome = await expectProblem(shop, BLOCKED)
    expect((await shop.get(`/success?checkout=${checkoutId}`)).status).toBe(200)
    expect(await failureOf(shop.services.dots.listCheckoutSessions({ limit: 1 }))).toMatchObject(BLOCKED_CALL)
    expect(await readyz(shop)).toMatchObject({ status: 200, body: { status: 'ready' } })
  }
  const lines = shop.log.filter(({ code, level }) => code === 'dots-blocked' && level === 50)
  expect(lines.map(({ event, items }) => [event, items]).slice(0, 2)).toEqual([
    ['request.failed', 'tee:2'],
    ['checkout.status-unknown', 'tee:1'],
  ])
  expectNoSecrets(shop)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  return { buyer: `${outcome?.buyer}; /readyz 200 ready`, store: `${outcome?.store}` }
}

async function wrongUrl(): Promise<Outcome> {
  const shop = await shopWithContact()
  shop.sandbox.failNext({ status: 404, body: `<h1>${UPSTREAM}</h1>` }, 2, 'create')
  const outcome = await expectProblem(shop, WRONG_URL)
  expect(shop.log.filter(({ check }) => check === 'DOTS_API_URL')).toMatchObject([
    { event: 'request.failed', level: 50, items: 'tee:2' },
  ])
  expect((await readyz(shop)).status).toBe(200)
  await expectProblem(shop, WRONG_URL)
  expect(await readyz(shop)).toMatchObject(UNREADY)
  expect(credentialsLines(shop).at(-1)).toMatchObject({
    level: 50,
    msg: expect.stringContaining('DOTS_API_URL'),
  })
  return { ...outcome, buyer: `${outcome.buyer}; /readyz 503 from the second on` }
}

function credentialsLines(shop: Service): Record<string, unknown>[] {
  return shop.log.filter(({ event }) => String(event).startsWith('dots.credentials.'))
}

tryFaults([
  at(
    'unreachable',
    'a port without a server',
    async () => `http://127.0.0.1:${await freePort()}/api`,
    UNREACHABLE,
  ),
  at('unreachable', 'a name that does not exist', async () => 'https://dots.invalid/api', UNREACHABLE),
  at('unreachable', 'a socket without a TLS handshake', silentPort, UNREACHABLE),
  at('untrusted', 'a server with a self-signed certificate', untrustedServer, UNTRUSTED),
  { fault: 'late', injected: 'not a byte, in real time', run: silenceInRealTime },
  answered('late', 'headers that never come', 'hang', 2, TIMEOUT),
  at('late', 'a body that stops half way', halfABody('silence'), TIMEOUT),
  at('late', 'a reset in the body', halfABody('reset'), LOST),
  answered('late', 'a reset after the session was opened', 'done-then-reset', 2, LOST),
  saved('late', 'a reset', 'reset'),
  answered('refused', '400', answer(400), 1, REFUSED),
  answered('refused', '422', answer(422), 1, REFUSED),
  {
    fault: 'credentials',
    injected: '401 for every click, and then the key is accepted',
    run: createsRefused,
  },
  answered('credentials', '403', answer(403), 1, NO_KEY),
  { fault: 'credentials', injected: '401 for every read', run: readsRefused },
  { fault: 'firewall', injected: '403 as HTML, on every call', run: behindAFirewall },
  answered('wrong-url', '405', answer(405), 1, WRONG_URL),
  { fault: 'wrong-url', injected: '404 for every click', run: wrongUrl },
  answered('conflict', '409', answer(409), 2, { ...BUSY, code: 'dots-conflict' }),
  saved('conflict', '409', answer(409)),
  answered('asked-to-wait', '429, 30 s', answer(429, { 'retry-after': '30' }), 1, {
    ...LIMITED,
    retryAfter: [29, 30],
  }),
  answered('asked-to-wait', '503, an hour', answer(503, { 'retry-after': '3600' }), 1, {
    ...FAILING,
    retryAfter: [119, 120],
  }),
  {
    fault: 'asked-to-wait',
    injected: '429 with a date 20 s ahead',
    run: async () => {
      const shop = await shopWithContact()
      const date = new Date(Date.now() + 20_000).toUTCString()
      shop.sandbox.failNext(answer(429, { 'retry-after': date }), 1, 'create')
      return expectProblem(shop, { ...LIMITED, retryAfter: [15, 20] })
    },
  },
  saved('asked-to-wait', '429, 1 s', answer(429, { 'retry-after': '1' })),
  answered('asked-to-wait', '429, nonsense', answer(429, { 'retry-after': 'soon' }), 2, LIMITED),
  ...[500, 502, 503, 504].map((status) => answered('failing', String(status), answer(status), 2, FAILING)),
  answered('failing', '429', answer(429), 2, LIMITED),
  saved('failing', '500', answer(500)),
  answered('nonsense', 'HTML', { status: 200, body: `<h1>${UPSTREAM}</h1>` }, 1, NONSENSE),
  answered(
    'nonsense',
    'JSON under another type',
    { status: 200, headers: { 'content-type': 'text/plain' }, body: '{}' },
    1,
    NONSENSE,
  ),
  answered(
    'nonsense',
    'a body over 64 KiB',
    { alter: (body) => ({ ...body, more: 'x'.repeat(65_536) }) },
    1,
    NONSENSE,
  ),
  answered('nonsense', 'no checkout_session_url', sessionAt(undefined), 1, NONSENSE),
  answered('unsafe-url', 'a script', sessionAt('javascript:alert(1)'), 1, UNSAFE),
  answered('unsafe-url', 'a URL with credentials', sessionAt('https://dots.dev@evil.example/'), 1, UNSAFE),
  answered('unsafe-url', 'a host outside of CHECKOUT_HOSTS', sessionAt('https://evil.example/'), 1, UNSAFE, {
    CHECKOUT_HOSTS: 'pay.dots.example',
  }),
])
