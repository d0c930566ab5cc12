import { expect, test } from 'vitest'
import { PRODUCTS, type Service, startService } from '../service.ts'
import { click, expectBuyHeaders, expectPage, lastAsked, logLineOf, rowsOf, sessionsOf } from './clicks.ts'

const NOW = new Date('2026-11-22T10:00:00Z')
const TIMED = [
  ...PRODUCTS,
  { sku: 'early', name: 'Early', amount: 100, starts_at: '2026-11-22T10:00:01Z', inactive_message: 'Soon!' },
  { sku: 'late', name: 'Late', amount: 100, ends_at: '2026-11-22T10:00:00Z', inactive_message: 'Gone!' },
]

function expectNothingHappened(shop: Service): void {
  expect(shop.sandbox.requests).toEqual([])
  expect(rowsOf(shop)).toEqual([])
}

/** The hosted checkout is where a click ends, with the headers that keep it from being stored or followed. */
async function expectSold(shop: Service, answer: Response, status: number): Promise<void> {
  expect(answer.status).toBe(status)
  expect(answer.headers.get('location')).toBe(sessionsOf(shop).at(-1)?.checkout_session_url)
  expectBuyHeaders(answer)
}

test('a click opens one session and redirects to the hosted checkout', async () => {
  const shop = await startService()
  await expectSold(shop, await shop.get('/buy/tee'), 302)
  expect(sessionsOf(shop)).toHaveLength(1)
})

test('a permalink opens one session for the whole cart and answers 303', async () => {
  const shop = await startService()
  await expectSold(shop, await shop.get('/buy/tee:2,mug:2?line_items/0/quantity=5&quantity=9'), 303)
  expect(lastAsked(shop).line_items.map(({ quantity }) => quantity)).toEqual([2, 2])
})

test('a permalink with a product twice orders the sum', async () => {
  const shop = await startService()
  await expectSold(shop, await shop.get('/buy/tee:2,~dGVl:3'), 303)
  expect(lastAsked(shop).line_items.map(({ quantity }) => quantity)).toEqual([5])
})

test('a form opens a session with its own fields and answers 303', async () => {
  const shop = await startService()
  const body = new URLSearchParams({ quantity: '3', email: 'jane+tee@example.com', metadata_size: 'm' })
  await expectSold(shop, await shop.get('/buy/tee', { method: 'POST', body }), 303)
  expect(lastAsked(shop)).toMatchObject({
    customer_email: 'jane+tee@example.com',
    line_items: [{ quantity: 3 }],
    metadata: { size: 'm' },
  })
})

test("a form's body and query count as one set", async () => {
  const shop = await startService()
  const form = (query: string, quantity: string) =>
    shop.get(`/buy/tee?${query}`, { method: 'POST', body: new URLSearchParams({ quantity }) })
  await expectSold(shop, await form('qty=3', '3'), 303)
  await expectPage(await form('qty=2', '3'), 400)
  expect(sessionsOf(shop)).toHaveLength(1)
})

test('a form without any field opens a session like a click', async () => {
  const shop = await startService()
  await expectSold(shop, await shop.get('/buy/tee', { method: 'POST' }), 303)
})

test.each(['/buy', '/buy/', '/buy?quantity=2', '/buy?continue_to=https://evil.example'])(
  '%s leads to the shop window',
  async (path) => {
    const shop = await startService()
    const answer = await shop.get(path)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    expectBuyHeaders(answer)
    expectNothingHappened(shop)
  },
)

test('/buy leads to a continue_to on our own origin', async () => {
  const shop = await startService()
  const answer = await shop.get('/buy?continue_to=/products/tee')
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/products/tee'])
})

test.each([
  ['/buy/tee', 200],
  ['/buy/tee:2,mug:2', 200],
  ['/buy/nope', 404],
  ['/buy/lamp', 410],
  ['/buy/tee?quantity=0', 400],
  ['/buy/tee:0', 400],
])('HEAD %s answers %i and makes nothing', async (path, status) => {
  const shop = await startService()
  const answer = await shop.get(path, { method: 'HEAD' })
  expect(answer.status).toBe(status)
  expect(await answer.text()).toBe('')
  expectBuyHeaders(answer)
  expectNothingHappened(shop)
})

test.each(['nope', 'TEE', '%20', '__proto__', 'constructor', '%F0%9F%8E%81', 'x'.repeat(3000), '~bm9wZQ'])(
  'the unknown sku %s shows the not-found page and opens no session',
  async (sku) => {
    const shop = await startService()
    const { text, reference } = await expectPage(await shop.get(`/buy/${sku}`), 404)
    expect(text).not.toContain('not been charged')
    expect(logLineOf(shop, reference)).toMatchObject({ status: 404, code: 'unknown-sku' })
    expectNothingHappened(shop)
  },
)

test.each([
  ['lamp', 'Back in spring.'],
  ['early', 'Soon!'],
  ['late', 'Gone!'],
])("%s is not for sale now: 410 with the merchant's message", async (sku, message) => {
  const shop = await startService({ products: TIMED, now: () => NOW })
  for (const path of [`/buy/${sku}`, `/buy/tee:1,${sku}:1`]) {
    const { text } = await expectPage(await shop.get(path), 410)
    expect(text).toContain(message)
  }
  expectNothingHappened(shop)
})

test.each([
  'tee?quantity=0',
  'tee?quantity=-1',
  'tee?quantity=1.5',
  'tee?quantity=abc',
  'tee?quantity=1e1',
  'tee?quantity=%2B1',
  'tee?quantity=100',
  'tee?quantity=9007199254740993',
  'tee?quantity=1&quantity=2',
  'tee?quantity=1&qty=2',
  'tee?qty=0',
  'mug?quantity=1',
  'mug?quantity=7',
  'tee:100',
  'tee:50,tee:50',
  'tee:0',
  'tee:01',
  'tee:1.5',
  'tee:-1',
  'tee:1,mug:1',
])('the quantity of /buy/%s is refused', async (link) => {
  const shop = await startService()
  await expectPage(await shop.get(`/buy/${link}`), 400)
  expectNothingHappened(shop)
})

test.each([
  ['tee', 1],
  ['tee?quantity=99', 99],
  ['tee?qty=2', 2],
  ['tee?quantity=2&qty=2&quantity=2', 2],
  ['mug', 2],
  ['mug?quantity=6', 6],
])('/buy/%s orders %i', async (link, quantity) => {
  const shop = await startService()
  await click(shop, `/buy/${link}`)
  expect(lastAsked(shop).line_items[0]?.quantity).toBe(quantity)
})

test('the page of a refused quantity says what can be bought', async () => {
  const shop = await startService()
  const { text } = await expectPage(await shop.get('/buy/mug?quantity=7'), 400)
  expect(text).toContain('from 2 to 6')
})

test.each(['tee:', ':1', 'tee:1,', ',', 'tee,mug', 'tee:1:2', '~!!:1', '~dGVlCg:1', '%00', 'nope%00', '~'])(
  'the malformed link /buy/%s is a 400 page',
  async (link) => {
    const shop = await startService()
    await expectPage(await shop.get(`/buy/${link}`), 400)
    expectNothingHappened(shop)
  },
)

test('skus of any printable characters are reached, percent-encoded or as a token', async () => {
  const skus = ['tee.black_m-1', 'Größe-🎁', '50%', 'a/b', 'a?b#c', 'a+b', 'C:1,2', '~x', '"<b>&\'']
  const shop = await startService({ products: skus.map((sku) => ({ sku, name: `Is ${sku}`, amount: 1 })) })
  for (const sku of skus) {
    const token = `~${Buffer.from(sku).toString('base64url')}`
    const plain = /[:,]|^~/.test(sku) ? [] : [`/buy/${encodeURIComponent(sku)}`]
    for (const path of [...plain, `/buy/${token}`, `/buy/${token}:1`]) {
      await click(shop, path)
      expect(lastAsked(shop).line_items[0]?.price_data.product_data.name).toBe(`Is ${sku}`)
    }
  }
})

test.each([1_000, 3_000, 7_000])('a link of %i characters sells', async (length) => {
  const shop = await startService()
  const path = '/buy/tee?utm_content='
  await expectSold(shop, await shop.get(path.padEnd(length, 'x')), 302)
})

test('too many attempts are a 429 page with Retry-After, unknown skus and paths among them', async () => {
  const shop = await startService({ env: { RATE_LIMIT_MAX: '3', RATE_LIMIT_WINDOW: '30' } })
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect((await shop.get('/buy/nope')).status).toBe(404)
  expect((await shop.get('/wp-login.php')).status).toBe(404)
  const calls = shop.sandbox.requests.length
  for (const path of ['/buy/tee', '/buy/nope', '/buy']) {
    const answer = await shop.get(path)
    const wait = Number(answer.headers.get('retry-after'))
    expect(Number.isInteger(wait) && wait >= 1 && wait <= 30).toBe(true)
    const { reference } = await expectPage(answer, 429)
    expect(logLineOf(shop, reference)).toMatchObject({ status: 429, code: 'too-many-attempts' })
  }
  expect(shop.sandbox.requests).toHaveLength(calls)
  expect((await shop.get('/')).status).toBe(200)
  expect((await shop.get('/readyz')).status).toBe(200)
})

test.each([
  ['/buy/nope', 404, 'unknown-sku'],
  ['/buy/lamp', 410, 'product-inactive'],
  ['/buy/tee?quantity=0', 400, undefined],
  ['/success?checkout=x', 404, 'unknown-checkout'],
  ['/cancel/x', 404, 'not-found'],
])('%s is problem+json for a client that asks for JSON', async (path, status, code) => {
  const shop = await startService()
  for (const accept of [
    'application/json',
    'application/problem+json',
    'text/html;q=0.5, application/json',
  ]) {
    const answer = await shop.get(path, { headers: { accept } })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json\b/)
    expectBuyHeaders(answer)
    const problem: unknown = await answer.json()
    expect(problem).toMatchObject({
      type: 'about:blank',
      status,
      title: expect.any(String),
      detail: expect.any(String),
      reference: expect.stringMatching(/^[0-9A-Z]{12}$/),
      ...(code !== undefined && { code }),
    })
  }
})

test.each([undefined, '*/*', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'])(
  'a client that accepts %s gets the page',
  async (accept) => {
    const shop = await startService()
    await expectPage(await shop.get('/buy/nope', accept === undefined ? {} : { headers: { accept } }), 404)
  },
)
