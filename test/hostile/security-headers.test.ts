import { describe, expect, test } from 'vitest'
import { click } from '../checkout/clicks.ts'
import { type Service, startService } from '../service.ts'

const LOCAL_CSP =
  "default-src 'none';style-src 'self';img-src 'self' data: https: http:;base-uri 'none';frame-ancestors 'none';form-action 'self' https: http:"
const HTTPS = { PUBLIC_URL: 'https://shop.example' }

/** On every response, whatever its route, kind and status. */
function expectHeaders(answer: Response, what: string): void {
  const seen = Object.fromEntries(
    [
      'content-security-policy',
      'x-content-type-options',
      'x-frame-options',
      'referrer-policy',
      'x-powered-by',
      'server',
    ].map((name) => [name, answer.headers.get(name)]),
  )
  expect({ what, ...seen }).toEqual({
    what,
    'content-security-policy': LOCAL_CSP,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'x-powered-by': null,
    server: null,
  })
}

async function answers(shop: Service): Promise<[what: string, answer: Response][]> {
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext({ status: 400 }, 1, 'create')
  const pages: [string, string, RequestInit?][] = [
    ['shop window', '/'],
    ['product', '/products/tee'],
    ['no such product', '/products/nope'],
    ['redirect to Dots refused', '/buy/tee'],
    ['redirect to Dots', '/buy/tee'],
    ['unknown sku', '/buy/nope'],
    ['inactive', '/buy/lamp'],
    ['bad quantity', '/buy/tee?quantity=x'],
    ['success', `/success?checkout=${checkoutId}`],
    ['cancel', `/cancel?checkout=${checkoutId}`],
    ['unknown checkout', '/success?checkout=x'],
    ['no such page', '/none'],
    ['as JSON', '/none', { headers: { accept: 'application/json' } }],
    ['prefetch', '/buy/tee', { headers: { 'sec-purpose': 'prefetch' } }],
    ['picture', '/buy/tee', { headers: { 'sec-fetch-dest': 'image' } }],
    ['preview', '/buy/tee', { headers: { 'user-agent': 'facebookexternalhit/1.1' } }],
    ['QR code', '/qr/tee.svg'],
    ['QR picture', '/qr/tee.png'],
    ['robots', '/robots.txt'],
    ['alive', '/healthz'],
    ['ready', '/readyz'],
    ['unsigned event', '/webhooks/dots', { method: 'POST', body: '{}' }],
    ['too large', '/buy/tee', { method: 'POST', body: new URLSearchParams({ a: 'x'.repeat(20_000) }) }],
    ['damaged', '/buy/%zz'],
  ]
  const all: [string, Response][] = []
  for (const [what, path, init] of pages) all.push([what, await shop.get(path, init)])
  return all
}

describe('on this machine, over http', () => {
  test('each kind of response has the headers, and none requires https', async () => {
    const shop = await startService({ env: { DOTS_WEBHOOK_SECRET: 'whsec_AAAA' } })
    for (const [what, answer] of await answers(shop)) {
      expectHeaders(answer, what)
      expect([what, answer.headers.get('strict-transport-security')]).toEqual([what, null])
      if (answer.headers.get('content-type')?.startsWith('text/html')) {
        const page = await answer.text()
        // The policy allows neither; a page with one would be a page that does not work.
        expect([what, /<script(?! type="application\/ld\+json")|\son\w+=|style="/i.test(page)]).toEqual([
          what,
          false,
        ])
      }
    }
  })
})

describe('in production, over https', () => {
  test('HSTS keeps browsers on https, and pages load nothing over http', async () => {
    const shop = await startService({ env: { ...HTTPS, DOTS_API_URL: 'https://dots.invalid/api' } })
    for (const path of ['/', '/products/tee', '/buy/nope', '/none', '/healthz']) {
      const { headers } = await shop.get(path)
      expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none';style-src 'self';img-src 'self' data: https:;base-uri 'none';frame-ancestors 'none';form-action 'self' https:",
      )
    }
  })
})
