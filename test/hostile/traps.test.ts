import { expect, test } from 'vitest'
import { click, sessionsOf } from '../checkout/clicks.ts'
import { type Service, startService } from '../service.ts'
import { sendBytes } from './raw.ts'

const EVIL = 'evil.example'
const CLOSE = 'connection: close\r\n\r\n'

function get(shop: Service, target: string, headers = '', method = 'GET') {
  return sendBytes(shop, `${method} ${target} HTTP/1.1\r\nhost: localhost\r\n${headers}${CLOSE}`)
}

test.each([
  ['/..%2fetc/passwd', 404],
  ['/../../etc/passwd', 404],
  ['/buy/..%2f..%2fadmin', 404],
  ['/buy/../admin', 404],
  ['/assets/..%2f..%2fpackage.json', 404],
  ['/assets/%2e%2e/%2e%2e/package.json', 404],
  [`//${EVIL}/buy/tee`, 404],
  [`/\\${EVIL}`, 404],
  ['/buy/nope%00', 400],
  ['/%00', 404],
  ['/buy/tee%2f', 404],
  ['/buy//nope', 404],
  ['/BUY/tee', 404],
  ['/buy/tee;a=b', 404],
  ['/.env', 404],
  ['/.git/config', 404],
  ['/catalog.json', 404],
  ['/__proto__', 404],
  ['/constructor', 404],
])('the path %s shows no file and opens no session', async (target, status) => {
  const shop = await startService()
  const answer = await get(shop, target)
  expect([target, answer.status]).toEqual([target, status])
  expect(answer.text).not.toContain('location:')
  expect(answer.text.toLowerCase()).not.toContain(`//${EVIL}`)
  expect(sessionsOf(shop)).toEqual([])
})

test('OPTIONS *, TRACE, CONNECT and PROPFIND are refused and reflect nothing', async () => {
  const shop = await startService()
  for (const [method, target] of [
    ['OPTIONS', '*'],
    ['TRACE', '/buy/tee'],
    ['CONNECT', `${EVIL}:443`],
    ['PROPFIND', '/'],
  ] as const) {
    const { status, text } = await get(shop, target, 'x-secret: mirrored\r\n', method)
    expect([method, [0, 400, 404, 405].includes(status)]).toEqual([method, true])
    expect(text).not.toContain('mirrored')
  }
})

test('an absolute URL is served by its path, and its host is on no page', async () => {
  const shop = await startService()
  const { status: redirect, text: head } = await get(shop, `http://${EVIL}/buy/tee`)
  expect(redirect).toBe(302)
  expect(head).toMatch(/\r\nlocation: http:\/\/localhost/i)
  shop.sandbox.failNext({ status: 500 }, 9, 'create')
  for (const target of [`http://${EVIL}/buy/tee`, `HTTPS://u:p@${EVIL}:1/buy/tee`]) {
    const { status, text } = await get(shop, target)
    expect(status).toBe(503)
    expect(text).toContain('href="/buy/tee"')
    expect(text).not.toContain(EVIL)
  }
  for (const target of [`http://${EVIL}`, `http://${EVIL}?x`, 'http://']) {
    const { status, text } = await get(shop, target)
    expect(status).toBeLessThan(500)
    expect(text).not.toContain(EVIL)
  }
})

test('no host that a request names is in a response', async () => {
  const shop = await startService({ env: { TRUST_PROXY: '127.0.0.1/32' } })
  const { checkoutId } = await click(shop)
  const headers = [
    `x-forwarded-host: ${EVIL}`,
    'x-forwarded-proto: https',
    `forwarded: host=${EVIL}`,
    `x-host: ${EVIL}`,
  ]
  const targets = [
    '/',
    '/buy',
    '/buy/tee',
    '/buy/nope',
    '/products/tee',
    `/success?checkout=${checkoutId}`,
    `/cancel?checkout=${checkoutId}`,
    '/robots.txt',
    '/.well-known/ucp',
    '/qr/tee.svg',
    '/readyz',
    '/none',
  ]
  for (const target of targets) {
    const bytes = `GET ${target} HTTP/1.1\r\nhost: ${EVIL}\r\n${headers.join('\r\n')}\r\n${CLOSE}`
    const { text, status } = await sendBytes(shop, bytes)
    expect(status).toBeGreaterThan(0)
    expect([target, text.includes(EVIL)]).toEqual([target, false])
  }
  for (const { asked } of sessionsOf(shop)) expect(JSON.stringify(asked)).not.toContain(EVIL)
})

test.each([
  `//${EVIL}`,
  `/\\${EVIL}`,
  `\\\\${EVIL}`,
  `https://${EVIL}/`,
  `https:${EVIL}`,
  `/.//${EVIL}`,
  `/%2f${EVIL}`,
  `/\t/${EVIL}`,
  `/@${EVIL}/..//`,
  'javascript:alert(1)',
  '/x\r\nlocation: https://evil.example',
  '/x\r\nset-cookie: a=b',
])('continue_to=%j leads to no other host', async (continueTo) => {
  const shop = await startService()
  for (const path of ['/buy', '/buy/tee']) {
    const answer = await shop.get(`${path}?continue_to=${encodeURIComponent(continueTo)}`)
    const location = answer.headers.get('location') ?? ''
    expect(new URL(location, shop.url).hostname).toBe('localhost')
    expect(location).not.toMatch(/^\/[/\\]/)
    expect(answer.headers.get('set-cookie') ?? '').not.toContain('a=b')
  }
})

test.each([
  [
    'a length and chunks',
    'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /buy/tee HTTP/1.1\r\n\r\n',
  ],
  ['two lengths', 'content-length: 0\r\ncontent-length: 30\r\n\r\nGET /buy/tee HTTP/1.1\r\n\r\n'],
  ['an unknown coding', 'transfer-encoding: identity, x\r\n\r\n'],
  ['a broken chunk', 'transfer-encoding: chunked\r\n\r\nzz\r\n'],
  ['a folded header', 'x-a: b\r\n c: d\r\n\r\n'],
  ['a space before the colon', 'content-length : 4\r\n\r\nabcd'],
  ['a zero byte', 'x-a: \u0000\r\n\r\n'],
  ['a bare line feed', 'x-a: b\nx-c: d\r\n\r\n'],
])('a request with %s smuggles nothing in', async (_what, rest) => {
  const shop = await startService()
  const { text } = await sendBytes(shop, `POST /none HTTP/1.1\r\nhost: x\r\n${rest}`, { half: true })
  expect(text.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0).toBeLessThanOrEqual(2)
  expect(sessionsOf(shop)).toEqual([])
})

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__'])(
  'the name %s is harmless as a sku, a metadata key and a parameter',
  async (name) => {
    const shop = await startService()
    for (const path of [`/buy/${name}`, `/products/${name}`, `/qr/${name}.svg`])
      expect([path, (await shop.get(path)).status]).toEqual([path, 404])
    const query = `metadata_${name}=x&metadata[${name}]=x&checkout[custom][${name}]=x&${name}=x&${name}[a]=x`
    expect((await shop.get(`/buy/tee?${query}`)).status).toBe(302)
    const asked = sessionsOf(shop)[0]?.asked
    expect(Object.getPrototypeOf(asked?.metadata)).toBe(Object.prototype)
    expect(asked?.line_items[0]?.price_data.amount).toBe(2500)
  },
)

test('an unknown path uses up the same allowance as a buy attempt', async () => {
  const shop = await startService({ env: { RATE_LIMIT_MAX: '3' } })
  const statuses: number[] = []
  for (const path of ['/a', '/b/c', '/buy/nope', '/d', '/buy/tee'])
    statuses.push((await shop.get(path)).status)
  expect(statuses).toEqual([404, 404, 404, 429, 429])
  expect((await shop.get('/healthz')).status).toBe(200)
})
