import { request } from 'node:http'
import { expect, test } from 'vitest'
import { type Service, startService } from '../service.ts'
import { click, EVERY_TIME, expectBuyHeaders } from './clicks.ts'

/** Sends a URL as it is: `fetch` would normalize it first. */
async function raw(shop: Service, path: string, method = 'GET'): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const { hostname, port } = new URL(shop.url)
  request({ hostname, port, path, method, agent: false }, (answer) => {
    const headers = new Headers()
    for (const [name, value] of Object.entries(answer.headers)) headers.set(name, String(value))
    answer.resume().on('end', () => resolve(new Response(null, { status: answer.statusCode ?? 0, headers })))
  })
    .on('error', reject)
    .end()
  return promise
}

const LONG = 'x'.repeat(9_000)

test.each([
  ['GET', '/buy/tee', 302],
  ['GET', '/buy/tee:1', 303],
  ['POST', '/buy/tee', 303],
  ['HEAD', '/buy/tee', 200],
  ['GET', '/buy', 303],
  ['GET', '/buy/', 303],
  ['GET', '/buy/tee/', 302],
  ['GET', '/buy/tee?quantity=0', 400],
  ['GET', '/buy/tee:0', 400],
  ['GET', '/buy/%E0%A4%A', 400],
  ['GET', '/buy/%', 400],
  ['HEAD', '/buy/%', 400],
  ['GET', '/success/%zz', 400],
  ['GET', '/cancel?checkout=%zz', 404],
  ['GET', '/buy/nope', 404],
  ['HEAD', '/buy/nope', 404],
  ['GET', '/buy/tee/more', 404],
  ['GET', '/success', 404],
  ['GET', '/success/more', 404],
  ['GET', '/success?checkout=x', 404],
  ['GET', '/cancel', 404],
  ['GET', '/cancel/more/still', 404],
  ['DELETE', '/buy/tee', 405],
  ['OPTIONS', '/buy/tee', 405],
  ['PROPFIND', '/buy', 405],
  ['POST', '/success', 405],
  ['HEAD', '/cancel', 405],
  ['GET', '/buy/lamp', 410],
  ['GET', `/buy/${LONG}`, 414],
  ['GET', `/buy/tee?utm_source=${LONG}`, 414],
  ['GET', `/success?checkout=${LONG}`, 414],
  ['GET', `/cancel/${LONG}`, 414],
])('%s %s carries the headers that keep an answer private', async (method, path, status) => {
  const shop = await startService()
  const answer = await raw(shop, path, method)
  expect(answer.status).toBe(status)
  expectBuyHeaders(answer, `${method} ${path.slice(0, 40)}`)
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
})

test.each([
  [
    'a body that is too large',
    { method: 'POST', body: new URLSearchParams({ note: 'x'.repeat(20_000) }) },
    413,
  ],
  [
    'a body of another kind',
    { method: 'POST', body: '{"quantity":2}', headers: { 'content-type': 'application/json' } },
    415,
  ],
])('%s is refused with them, and opens no session', async (_what, init, status) => {
  const shop = await startService()
  const answer = await shop.get('/buy/tee', init)
  expect(answer.status).toBe(status)
  expectBuyHeaders(answer)
  expect(shop.sandbox.requests).toEqual([])
})

test('error pages of rate limits and of Dots failures, and the return pages, have the headers too', async () => {
  const shop = await startService({ env: { RATE_LIMIT_MAX: '3' } })
  const { checkoutId, session } = await click(shop)
  for (const path of ['/success', '/cancel'])
    expectBuyHeaders(await shop.get(`${path}?checkout=${checkoutId}`), `open ${path}`)
  await shop.sandbox.pay(session.id)
  for (const path of ['/success', '/cancel'])
    expectBuyHeaders(await shop.get(`${path}?checkout=${checkoutId}`), `paid ${path}`)
  shop.sandbox.failNext({ status: 500 }, EVERY_TIME, 'create')
  const statuses: number[] = []
  for (let attempt = 0; attempt < 3; attempt++) {
    const answer = await shop.get('/buy/tee')
    statuses.push(answer.status)
    expectBuyHeaders(answer, String(answer.status))
  }
  expect(statuses).toEqual([503, 503, 429])
})
