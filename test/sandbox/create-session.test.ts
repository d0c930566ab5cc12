import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { call, createBody, lineItem, start } from './dots-caller.ts'

const NOW = new Date('2026-11-22T10:00:00.000Z')
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await start({ now: () => NOW })
})
afterAll(() => sandbox.close())

function post(body: unknown, headers: Record<string, string> = {}) {
  return call(sandbox, '/checkout-sessions', body, headers)
}

test('a good body is answered with every documented field', async () => {
  const { status, body } = await post(createBody())
  expect(status).toBe(200)
  expect(body).toEqual({
    id: expect.stringMatching(UUID),
    status: 'open',
    payment_intent_id: expect.stringMatching(UUID),
    success_url: 'http://shop.example/success?checkout=1',
    cancel_url: 'http://shop.example/cancel?checkout=1',
    checkout_session_url: `${sandbox.url.replace('127.0.0.1', 'localhost').replace('/api', '')}/checkout/${body.id}`,
    client_reference_id: 'ref-1',
    expiry: '2026-11-22T12:59:59.000Z',
    metadata: { checkout_id: '1' },
    line_items: [{ quantity: 2, price_id: expect.stringMatching(UUID) }],
    created: '2026-11-22T10:00:00.000Z',
    updated: '2026-11-22T10:00:00.000Z',
    customer_id: '0b0a7a3e-51f0-4c5f-9d5e-4c8fd3f2a8f0',
    customer_email: 'buyer@example.com',
    amount_total: 5000,
  })
})

test('what the caller left out is null, and the session lives for three hours', async () => {
  const { status, body } = await post({
    line_items: [{ price_data: { currency: 'usd', amount: 1, product_data: { name: 'x' } }, quantity: 1 }],
    mode: 'payment',
    success_url: 'https://shop.example/',
  })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    cancel_url: null,
    metadata: null,
    customer_id: null,
    customer_email: null,
    client_reference_id: null,
    expiry: '2026-11-22T13:00:00.000Z',
    amount_total: 1,
  })
})

test('a user id in place of a customer id is accepted', async () => {
  const body = createBody({ customer_id: undefined, user_id: '0b0a7a3e-51f0-4c5f-9d5e-4c8fd3f2a8f0' })
  expect((await post(body)).status).toBe(200)
})

test('two lines that differ in one word are accepted', async () => {
  const body = createBody({ line_items: [lineItem(), lineItem({}, { name: 'Black T-shirt, L' })] })
  expect((await post(body)).body.amount_total).toBe(10_000)
})

test('metadata at its limits is accepted', async () => {
  const metadata = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [String(index).padEnd(40, 'k'), 'v'.repeat(500)]),
  )
  expect((await post(createBody({ metadata }))).status).toBe(200)
})

const withPrice = (changes: Record<string, unknown>) => ({ line_items: [lineItem(changes)] })
const withProduct = (changes: Record<string, unknown>) => ({ line_items: [lineItem({}, changes)] })
const withQuantity = (quantity: unknown) => ({ line_items: [{ ...lineItem(), quantity }] })
const keys = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, key) => [`k${key}`, 'v']))

const refused: [name: string, changes: Record<string, unknown>, field: string][] = [
  ['an unknown field', { idempotency_key: 'x' }, '/idempotency_key'],
  ['an unknown field in a line', { line_items: [{ ...lineItem(), sku: 'x' }] }, '/line_items/0'],
  ['an unknown field in price_data', withPrice({ tax: 1 }), '/line_items/0/price_data'],
  ['an unknown field in product_data', withProduct({ sku: 'x' }), '/line_items/0/price_data/product_data'],
  ['no line_items', { line_items: undefined }, 'line_items'],
  ['empty line_items', { line_items: [] }, '/line_items'],
  ['line_items that are no array', { line_items: lineItem() }, '/line_items'],
  ['line items that repeat each other', { line_items: [lineItem(), lineItem()] }, '/line_items/1'],
  [
    'line items that differ in nothing but the quantity',
    { line_items: [lineItem(), { ...lineItem(), quantity: 1 }] },
    '/line_items/1',
  ],
  ['no price_data', { line_items: [{ quantity: 1 }] }, 'price_data'],
  ['no currency', withPrice({ currency: undefined }), 'currency'],
  ['another currency', withPrice({ currency: 'eur' }), 'currency'],
  ['a currency in capitals', withPrice({ currency: 'USD' }), 'currency'],
  ['no amount', withPrice({ amount: undefined }), 'amount'],
  ['an amount that is not whole', withPrice({ amount: 9.5 }), 'amount'],
  ['an amount as a string', withPrice({ amount: '2500' }), 'amount'],
  ['an amount of 0', withPrice({ amount: 0 }), 'amount'],
  ['a negative amount', withPrice({ amount: -1 }), 'amount'],
  ['a sum beyond exact whole numbers', withPrice({ amount: Number.MAX_SAFE_INTEGER }), '/line_items'],
  ['no product_data', withPrice({ product_data: undefined }), 'product_data'],
  ['no name', withProduct({ name: undefined }), 'name'],
  ['an empty name', withProduct({ name: '' }), 'name'],
  ['a description that is null', withProduct({ description: null }), 'description'],
  ['images that are not strings', withProduct({ images: [{ url: 'x' }] }), 'images/0'],
  ['an image that is no URI', withProduct({ images: ['a.jpg'] }), 'images/0'],
  ['an image that is not in an array', withProduct({ images: 'https://shop.example/a.jpg' }), 'images'],
  ['product metadata that is not strings', withProduct({ metadata: { size: 1 } }), 'metadata/size'],
  ['no quantity', withQuantity(undefined), 'quantity'],
  ['a quantity that is not whole', withQuantity(1.5), 'quantity'],
  ['a quantity as a string', withQuantity('1'), 'quantity'],
  ['a quantity of 0', withQuantity(0), 'quantity'],
  ['no mode', { mode: undefined }, 'mode'],
  ['another mode', { mode: 'subscription' }, '/mode'],
  ['no success_url', { success_url: undefined }, 'success_url'],
  ['a relative success_url', { success_url: '/success' }, '/success_url'],
  ['a success_url of another scheme', { success_url: 'javascript:alert(1)' }, '/success_url'],
  ['a success_url without a host', { success_url: 'https://' }, '/success_url'],
  ['a relative cancel_url', { cancel_url: '/cancel' }, '/cancel_url'],
  ['a cancel_url that is null', { cancel_url: null }, '/cancel_url'],
  ['an email that is null', { customer_email: null }, '/customer_email'],
  ['an email that is none', { customer_email: 'nobody' }, '/customer_email'],
  ['a reference that is a number', { client_reference_id: 7 }, '/client_reference_id'],
  ['a customer_id that is no uuid', { customer_id: 'cus_1' }, '/customer_id'],
  ['a user_id that is no uuid', { customer_id: undefined, user_id: 'u' }, '/user_id'],
  ['both customer_id and user_id', { user_id: '0b0a7a3e-51f0-4c5f-9d5e-4c8fd3f2a8f0' }, '/user_id'],
  ['expires_in of three hours, which the documentation excludes', { expires_in: 10_800 }, '/expires_in'],
  ['expires_in of 0, which the documentation excludes', { expires_in: 0 }, '/expires_in'],
  ['expires_in that is not whole', { expires_in: 60.5 }, '/expires_in'],
  ['expires_in as a string', { expires_in: '60' }, '/expires_in'],
  ['metadata that is an array', { metadata: ['x'] }, '/metadata'],
  ['metadata with a number', { metadata: { count: 1 } }, '/metadata/count'],
  ['metadata with 21 keys', { metadata: keys(21) }, '/metadata'],
  ['a metadata key of 41 characters', { metadata: { ['k'.repeat(41)]: 'v' } }, '/metadata'],
  ['a metadata value of 501 characters', { metadata: { key: 'v'.repeat(501) } }, '/metadata/key'],
]

describe('a create body is refused, its field is named, and no session is made, for', () => {
  test.each(refused)('%s', async (_name, changes, field) => {
    const before = sandbox.sessions.size
    const { status, body } = await post(createBody(changes))
    expect(status).toBe(400)
    expect(body).toEqual({ error: { code: 'invalid-input', message: expect.stringContaining(field) } })
    expect(sandbox.sessions.size).toBe(before)
  })

  test.each(['{', '', 'null', '[]', '"x"'])('the raw text %j', async (text) => {
    const { status, body } = await post(text)
    expect(status).toBe(400)
    expect(body).toMatchObject({ error: { code: 'invalid-input' } })
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])(
    'the content type %s',
    async (contentType) => {
      expect((await post(createBody(), { 'content-type': contentType })).status).toBe(400)
    },
  )
})

test('a body of up to a mebibyte is read, a larger one is refused with an answer', async () => {
  const recorded = sandbox.requests.length
  expect((await post('x'.repeat(1024 * 1024))).status).toBe(400)
  expect((await post('x'.repeat(1024 * 1024 + 1))).status).toBe(413)
  expect(sandbox.requests).toHaveLength(recorded + 1)
})

test('a larger body is refused with an answer even where its length is not announced', async () => {
  const response = await fetch(`${sandbox.url}/v2/checkout-sessions`, {
    method: 'POST',
    body: ReadableStream.from(Array.from({ length: 40 }, () => Buffer.alloc(64 * 1024, 'x'))),
    duplex: 'half',
  })
  expect(response.status).toBe(413)
})
