import { METHODS } from 'node:http'
import { expect, test } from 'vitest'
import { stylesheetPath } from '../../src/pages/stylesheet.ts'
import { sessionsOf } from '../checkout/clicks.ts'
import { startService } from '../service.ts'
import { sendBytes } from './raw.ts'

const HTTPS = { PUBLIC_URL: 'https://shop.example', DOTS_WEBHOOK_SECRET: 'whsec_AAAA' }
/** It asks for a tunnel, so Node's server closes the connection. */
const TUNNEL = 'CONNECT'

test.each([
  ['/', 'GET, HEAD'],
  ['/buy', 'GET, HEAD'],
  ['/buy/', 'GET, HEAD'],
  ['/buy/tee', 'GET, HEAD, POST'],
  ['/buy/nope/?quantity=x', 'GET, HEAD, POST'],
  ['/b%75y/t%65e', 'GET, HEAD, POST'],
  ['/buy/tee%2Fx', 'GET, HEAD, POST'],
  ['/success?checkout=x', 'GET'],
  ['/cancel', 'GET'],
  ['/webhooks/dots', 'POST'],
  ['/products/tee', 'GET, HEAD'],
  ['/qr/tee.svg', 'GET, HEAD'],
  ['/.well-known/ucp', 'GET, HEAD'],
  ['/robots.txt', 'GET, HEAD'],
  ['/favicon.ico', 'GET, HEAD'],
  [stylesheetPath({ name: '', publicUrl: '' }), 'GET, HEAD'],
  ['/healthz', 'GET, HEAD'],
  ['/readyz', 'GET, HEAD'],
])('%s takes %s; any other method gets 405 with Allow, and does nothing', async (path, allow) => {
  const shop = await startService({ env: HTTPS })
  for (const method of METHODS.filter((one) => one !== TUNNEL && !allow.split(', ').includes(one))) {
    const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1\r\n`
    const { status, text } = await sendBytes(shop, `${head}connection: close\r\n\r\n{`)
    expect([method, status, /\r\nallow: ([^\r]*)/i.exec(text)?.[1]]).toEqual([method, 405, allow])
  }
  expect(sessionsOf(shop)).toEqual([])
})

test.each(['/nowhere', '/buy/tee/more', '/products', '/qr', '/admin', '/webhooks/dots', '/malformed-url/x'])(
  'the unknown path %s is not found with any method',
  async (path) => {
    const shop = await startService()
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const answer = await shop.get(path, { method })
      expect([method, answer.status, answer.headers.get('allow')]).toEqual([method, 404, null])
    }
  },
)

test('another method of a known path has the allowance of browsing', async () => {
  const shop = await startService({ env: { RATE_LIMIT_MAX: '1' } })
  const statuses: number[] = []
  for (let n = 0; n < 11; n++) statuses.push((await shop.get('/buy/tee', { method: 'DELETE' })).status)
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 405), 429])
  expect((await shop.get('/buy/tee')).status).toBe(302)
})

test.each([
  '/',
  '/products/tee',
  '/qr/tee.png',
  '/.well-known/ucp',
  '/robots.txt',
  stylesheetPath({ name: '', publicUrl: '' }),
])('a conditional request for %s that is answered with 304 has no Content-Length', async (path) => {
  const shop = await startService({ env: HTTPS })
  const etag = (await shop.get(path)).headers.get('etag') ?? ''
  expect(etag).not.toBe('')
  for (const method of ['GET', 'HEAD']) {
    const request = `${method} ${path} HTTP/1.1\r\nhost: x\r\nif-none-match: ${etag}\r\nconnection: close\r\n\r\n`
    const { status, text } = await sendBytes(shop, request)
    expect([method, status]).toEqual([method, 304])
    expect(text).not.toMatch(/content-length/i)
    expect(text.split('\r\n\r\n')[1]).toBe('')
  }
  const changed = await shop.get(path, { headers: { 'if-none-match': '"other"' } })
  expect([changed.status, Number(changed.headers.get('content-length')) > 0]).toEqual([200, true])
})
