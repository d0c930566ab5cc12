import { expect } from 'vitest'
import { click, expectBuyHeaders, rowsOf, sessionsOf, unescaped } from '../checkout/clicks.ts'
import { sendBytes } from '../hostile/raw.ts'
import { startService } from '../service.ts'
import { expectNoSecrets, states, tryFaults } from './buyer.ts'
import type { Outcome } from './matrix.ts'

/** Ten seconds for headers, fifteen for a body, two between two checks of the sockets, and some for a busy machine. */
const HEADERS_MS = 14_000
const REQUEST_MS = 19_000
/** A silent socket is closed by the first of the two that notices. */
const LATEST_MS = 35_000

async function doubleClick(): Promise<Outcome> {
  const shop = await startService()
  const first = await shop.get('/buy/tee')
  const cookie = String(first.headers.get('set-cookie')).split(';')[0] ?? ''
  const init = { headers: { cookie } }
  const again = await Promise.all([
    shop.get('/buy/tee?quantity=2', init),
    shop.get('/buy/tee?quantity=2', init),
  ])
  const locations = again.map(({ headers }) => headers.get('location'))
  expect(new Set(locations).size).toBe(1)
  expect((await shop.get('/buy/tee', init)).headers.get('location')).toBe(first.headers.get('location'))
  expect(sessionsOf(shop)).toHaveLength(2)
  return { buyer: '302 to the same session', store: states(rowsOf(shop)) }
}

async function tamperedCookie(): Promise<Outcome> {
  const shop = await startService()
  const { session } = await click(shop)
  for (const value of ['x', '../../etc/passwd', "' or 1=1 --", '%00', 'A'.repeat(22), '__proto__']) {
    const answer = await shop.get('/buy/tee', { headers: { cookie: `buyer=${value}` } })
    expect(answer.status).toBe(302)
    expect(answer.headers.get('location')).not.toBe(session.checkout_session_url)
  }
  expect(sessionsOf(shop)).toHaveLength(7)
  return { buyer: '302 to a session of its own, as a new buyer', store: states(rowsOf(shop)) }
}

async function forgedAddress(): Promise<Outcome> {
  const shop = await startService({ env: { RATE_LIMIT_MAX: '2' } })
  const statuses: number[] = []
  for (let n = 0; n < 4; n++)
    statuses.push((await shop.get('/buy/tee', { headers: { 'x-forwarded-for': `203.0.113.${n}` } })).status)
  expect(statuses).toEqual([302, 302, 429, 429])
  return { buyer: '302, and 429 as for one IP address', store: states(rowsOf(shop)) }
}

async function hostileText(): Promise<Outcome> {
  const name = `<script>alert(1)</script>"'=cmd()`
  const shop = await startService({
    products: [{ sku: 'tee', name, amount: 100, description: '<img src=x onerror=alert(1)>', confirm: true }],
  })
  const query = new URLSearchParams({
    client_reference_id: '<b>',
    'metadata_"><script>': '=cmd()',
    utm_source: 'a\r\nset-cookie: x=1',
  })
  const pages = [await shop.get('/'), await shop.get('/products/tee'), await shop.get(`/buy/tee?${query}`)]
  for (const answer of pages) {
    const page = await answer.text()
    expect(answer.status).toBe(200)
    expect(page).not.toContain('<script>alert')
    expect(page).not.toContain('<img src=x')
    expect(page).not.toContain('metadata_"><script>')
    expect(unescaped(page)).toContain('=cmd()')
    expect(answer.headers.get('set-cookie') ?? '').not.toContain('x=1')
  }
  const missing = await shop.get('/buy/%0D%0A%7B%22level%22:60%7D')
  expect(missing.status).toBe(400)
  expectBuyHeaders(missing)
  expect(shop.log.filter(({ level }) => level === 60)).toEqual([])
  expectNoSecrets(shop)
  return { buyer: 'text, shown as text', store: states(rowsOf(shop)) }
}

const HEAD = 'GET /buy/tee HTTP/1.1\r\nhost: localhost\r\n'

async function oversized(): Promise<Outcome> {
  const shop = await startService()
  const bomb = `${HEAD}cookie: ${'a'.repeat(20_000)}\r\n\r\n`
  const swarm = `${HEAD}${Array.from({ length: 3_000 }, (_, n) => `x-${n}: y`).join('\r\n')}\r\n\r\n`
  const statuses = {
    bomb: (await sendBytes(shop, bomb)).status,
    swarm: (await sendBytes(shop, swarm)).status,
    url: (
      await sendBytes(shop, `GET /buy/${'a'.repeat(10_000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    ).status,
    endless: (await sendBytes(shop, `GET /buy/${'a'.repeat(1_000_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)).status,
    body: (await shop.get('/buy/tee', { method: 'POST', body: new URLSearchParams({ a: 'x'.repeat(1e6) }) }))
      .status,
  }
  // A URL that does not even fit into the headers is refused by the parser, with the status for headers.
  expect(statuses).toEqual({ bomb: 431, swarm: 431, url: 414, endless: 431, body: 413 })
  expect(sessionsOf(shop)).toEqual([])
  expect((await shop.get('/buy/tee')).status).toBe(302)
  return { buyer: '431, 414, 413; the others are served', store: states(rowsOf(shop)) }
}

async function slow(): Promise<Outcome> {
  const shop = await startService()
  const body = 'POST /buy/tee HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n'
  const senders = {
    silent: sendBytes(shop, '', { timeoutMs: LATEST_MS }),
    headers: sendBytes(shop, HEAD, { timeoutMs: LATEST_MS }),
    body: sendBytes(shop, `${body}content-length: 100\r\n\r\nquantity=`, { timeoutMs: LATEST_MS }),
    half: sendBytes(shop, HEAD, { timeoutMs: LATEST_MS, half: true }),
  }
  const start = performance.now()
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(performance.now() - start).toBeLessThan(5_000)
  const [silent, headers, half, slowBody] = await Promise.all([
    senders.silent,
    senders.headers,
    senders.half,
    senders.body,
  ])
  for (const one of [silent, headers, half, slowBody]) expect(one.closed).toBe(true)
  expect(silent.afterMs).toBeLessThan(LATEST_MS)
  expect(headers.afterMs).toBeLessThan(HEADERS_MS)
  expect(half.afterMs).toBeLessThan(HEADERS_MS)
  expect(slowBody.afterMs).toBeLessThan(REQUEST_MS)
  const seconds = [silent, headers, slowBody, half].map(({ afterMs }) => (afterMs / 1000).toFixed(1))
  return {
    buyer: `closed after ${seconds.join(', ')} s (silent, half headers, half a body, half open)`,
    store: states(rowsOf(shop)),
  }
}

tryFaults([
  { fault: 'double-click', injected: 'two clicks at once, and one later', run: doubleClick },
  { fault: 'cookie-tampered', injected: 'paths, SQL, zero bytes, another value', run: tamperedCookie },
  { fault: 'forged-client-ip', injected: 'another IP address with each click', run: forgedAddress },
  { fault: 'hostile-text', injected: 'script, quotes, line breaks, =cmd()', run: hostileText },
  { fault: 'hostile-clients', injected: 'too much of everything', run: oversized },
  { fault: 'hostile-clients', injected: 'senders that stop half way', run: slow },
])
