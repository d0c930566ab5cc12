import { expect, test } from 'vitest'
import type { CannedAnswer } from '../../src/sandbox/faults.ts'
import { CREDENTIALS, type Service, type ServiceOptions, startService } from '../service.ts'
import { EVERY_TIME, expectPage, logLineOf, rowsOf, sessionAt, unescaped } from './clicks.ts'

const UPSTREAM = 'upstream-words-that-nobody-may-see'
const BODY = { error: { code: 'resource-busy', message: UPSTREAM, trace: CREDENTIALS.apiKey } }

// Each response of Dots by its code is in test/dots/client, and by page and row in test/faults/dots-faults.

/** A fault that waiting does not fix: clicks, and checks the page, the log and the row. */
async function expectFault(shop: Service, code: string, state: 'failed' | 'unknown'): Promise<void> {
  const path = '/buy/tee?quantity=2&email=jane@example.com'
  const answer = await shop.get(path)
  expect(answer.headers.get('location')).toBe(null)
  expect(answer.headers.get('retry-after')).toBe(null)
  const { text, reference } = await expectPage(answer, 503)
  expect(text).toContain('You have not been charged')
  expect(unescaped(text)).toContain(`href="${path}"`)
  expect(text).toContain('Try again')
  expect(logLineOf(shop, reference)).toMatchObject({ status: 503, code, level: 50 })
  const rows = rowsOf(shop)
  expect(rows).toHaveLength(1)
  expect(rows[0]).toMatchObject({ state, failure: code, amount_total: 5000 })
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

test.each([
  'https://evil.example/pay',
  'https://pay.dots.example.evil.example/',
  'https://xpay.dots.example/',
])('with CHECKOUT_HOSTS the buyer is not sent to %s', async (url) => {
  const shop = await startService({ env: { CHECKOUT_HOSTS: 'pay.dots.example, other.example' } })
  shop.sandbox.failNext(sessionAt(url), EVERY_TIME, 'create')
  await expectFault(shop, 'dots-unsafe-url', 'unknown')
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

test('a 2xx response needs nothing but its URL, whatever its other fields are', async () => {
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

test('the code of a refusal by Dots is in the log', async () => {
  const shop = await startService()
  shop.sandbox.failNext(status(400), EVERY_TIME, 'create')
  const { reference } = await expectPage(await shop.get('/buy/tee'), 503)
  expect(logLineOf(shop, reference)).toMatchObject({
    dotsCode: 'resource-busy',
    items: 'tee:1',
    amountTotal: 2500,
  })
})

test('a wrong key in the settings makes the service unready at the second click, and the key is in no log', async () => {
  const options: ServiceOptions = { env: { DOTS_API_KEY: 'another-key-0b9c' } }
  const shop = await startService(options)
  await expectFault(shop, 'dots-credentials-refused', 'failed')
  expect((await shop.get('/readyz')).status).toBe(200)
  await shop.get('/buy/tee')
  expect((await shop.get('/readyz')).status).toBe(503)
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

test('"Try again" after a form that failed is a link to the same purchase', async () => {
  const shop = await startService()
  shop.sandbox.failNext({ status: 400 }, EVERY_TIME, 'create')
  const answer = await shop.get('/buy/tee?utm_source=mail', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'quantity=3&buyer%2Femail=jane%2Bshop%40example.com',
  })
  expect(answer.status).toBe(503)
  const href = /href="([^"]*)"[^>]*>Try again/.exec(await answer.text())?.[1] ?? ''
  const path = href.replaceAll(/&#(\d+);/g, (_all, code) => String.fromCharCode(Number(code)))
  shop.sandbox.clear()
  expect((await shop.get(path)).status).toBe(302)
  expect(shop.sandbox.requests[0]?.body).toMatchObject({
    line_items: [{ quantity: 3 }],
    customer_email: 'jane+shop@example.com',
    metadata: { utm_source: 'mail' },
  })
})
