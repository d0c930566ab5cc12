import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { CREDENTIALS, type Service, startService } from '../service.ts'
import { checkoutOf, click, lastAsked, rowsOf, sessionsOf } from './clicks.ts'

/** 12 digits of milliseconds, and 32 of randomness. */
const CHECKOUT_ID = /^01[0-9a-f]{42}$/

/** The whole body that the plainest click must send. */
function plainBody(shop: Service, checkoutId: string) {
  return {
    line_items: [
      {
        price_data: {
          currency: 'usd',
          amount: 2500,
          product_data: {
            name: 'Black T-shirt, M',
            description: 'Heavy cotton.',
            images: ['https://shop.example/tee.jpg'],
            metadata: { color: 'black' },
          },
        },
        quantity: 1,
      },
    ],
    mode: 'payment',
    success_url: `${shop.url}/success?checkout=${checkoutId}`,
    cancel_url: `${shop.url}/cancel?checkout=${checkoutId}`,
    expires_in: 10_799,
    metadata: { checkout_id: checkoutId, items: 'tee:1', amount_total: '2500', color: 'black' },
  }
}

test('a click makes one call, and its body holds the documented fields and no other', async () => {
  const shop = await startService()
  const { checkoutId } = await click(shop)
  expect(checkoutId).toMatch(CHECKOUT_ID)
  expect(shop.sandbox.requests).toHaveLength(1)
  const [call] = shop.sandbox.requests
  expect(`${call?.method} ${call?.path}`).toBe('POST /api/v2/checkout-sessions')
  expect(call?.body).toStrictEqual(plainBody(shop, checkoutId))
})

test('the call is authenticated with the client id and key, and says nothing of the buyer in its headers', async () => {
  const shop = await startService()
  await click(shop, '/buy/tee', { headers: { 'user-agent': 'Buyer/1.0', cookie: 'a=b', 'x-mine': 'yes' } })
  const headers = shop.sandbox.requests[0]?.headers ?? {}
  const { clientId, apiKey } = CREDENTIALS
  expect(headers.authorization).toBe(`Basic ${btoa(`${clientId}:${apiKey}`)}`)
  expect(headers['content-type']).toBe('application/json')
  expect(Object.keys(headers).sort()).toEqual(
    ['accept', 'authorization', 'connection', 'content-length', 'content-type', 'host', 'user-agent'].sort(),
  )
  expect(headers['user-agent']).not.toContain('Buyer')
})

test('DOTS_APP_ID goes into Api-App-Id', async () => {
  const shop = await startService({ env: { DOTS_APP_ID: 'app_1' }, sandbox: { appId: 'app_1' } })
  await click(shop)
  expect(shop.sandbox.requests[0]?.headers['api-app-id']).toBe('app_1')
})

test('a product with only the required fields makes a body without optional ones', async () => {
  const shop = await startService({ products: [{ sku: 'pin', name: 'Pin', amount: 1 }] })
  const { checkoutId } = await click(shop, '/buy/pin?qty=3')
  expect(shop.sandbox.requests[0]?.body).toMatchObject({
    line_items: [{ price_data: { currency: 'usd', amount: 1, product_data: { name: 'Pin' } }, quantity: 3 }],
    metadata: { checkout_id: checkoutId, items: 'pin:3', amount_total: '3' },
  })
  expect(lastAsked(shop).line_items[0]?.price_data.product_data).toStrictEqual({ name: 'Pin' })
})

test('parameters that a link may not set are ignored in its query', async () => {
  const shop = await startService()
  const id = '1b4e28ba-2fa1-41d2-883f-0016d3cca427'
  const query = new URLSearchParams({
    success_url: 'https://evil.example/s',
    cancel_url: 'https://evil.example/c',
    return_url: 'https://evil.example/r',
    redirect_url: 'https://evil.example/r',
    amount: '1',
    price: '1',
    currency: 'eur',
    customer_id: id,
    user_id: id,
    mode: 'setup',
    expires_in: '60',
    name: 'Free',
    'line_items[0][quantity]': '7',
    'line_items/0/quantity': '7',
    'totals/0/amount': '1',
    metadata_checkout_id: id,
    metadata_items: 'mug:1',
    metadata_items_2: 'mug:1',
    metadata_amount_total: '1',
    metadata_link: 'forged',
    metadata_color: 'red',
    checkout: id,
    fbclid: 'x',
  })
  const { checkoutId } = await click(shop, `/buy/tee?${query}`)
  expect(shop.sandbox.requests[0]?.body).toStrictEqual(plainBody(shop, checkoutId))
})

test("the buyer's parameters go where the interface says", async () => {
  const shop = await startService()
  const { checkoutId } = await click(
    shop,
    '/buy/tee?quantity=2&prefilled_email=jane%2Btee@example.com&reference_id=order_7-a' +
      '&metadata_size=m&metadata[gift]=yes&checkout[custom][card]=blue&utm_source=mail&attribution/utm_medium=email&ref=bob',
  )
  const plain = plainBody(shop, checkoutId)
  expect(shop.sandbox.requests[0]?.body).toStrictEqual({
    ...plain,
    line_items: plain.line_items.map((line) => ({ ...line, quantity: 2 })),
    customer_email: 'jane+tee@example.com',
    client_reference_id: 'order_7-a',
    metadata: {
      ...plain.metadata,
      items: 'tee:2',
      amount_total: '5000',
      size: 'm',
      gift: 'yes',
      card: 'blue',
      utm_source: 'mail',
      utm_medium: 'email',
      ref: 'bob',
    },
  })
})

test.each(['buyer/email', 'prefilled_email', 'customer_email', 'email', 'checkout[email]'])(
  'an email may come as %s',
  async (name) => {
    const shop = await startService()
    await click(shop, `/buy/tee?${encodeURIComponent(name)}=jane@example.com`)
    expect(lastAsked(shop).customer_email).toBe('jane@example.com')
  },
)

test.each([
  ['an email that is none', 'email=jane'],
  ['a reference with other signs', 'client_reference_id=a%20b'],
  ['two different emails', 'email=a@example.com&customer_email=b@example.com'],
  ['a placeholder that was not filled in', 'email=%7B%7Bemail%7D%7D'],
  ['a metadata key that is too long', `metadata_${'k'.repeat(41)}=1`],
  ['a metadata value that is too long', `metadata_note=${'v'.repeat(501)}`],
])('%s is dropped, and the sale goes on', async (_what, query) => {
  const shop = await startService()
  const { checkoutId } = await click(shop, `/buy/tee?${query}`)
  expect(shop.sandbox.requests[0]?.body).toStrictEqual(plainBody(shop, checkoutId))
})

test('metadata is filled in its order, and cut at twenty keys', async () => {
  const metadata = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`p${n}`, 'catalog']))
  const shop = await startService({ products: [{ sku: 'tee', name: 'T', amount: 5, metadata }] })
  const parameters = ['a', 'b', 'c', 'd'].map((key) => `metadata_${key}=link`).join('&')
  await click(shop, `/buy/tee?utm_source=s&ref=r&utm_term=t&${parameters}&metadata_p0=link`)
  const sent = lastAsked(shop).metadata ?? {}
  expect(Object.keys(sent)).toEqual([
    ...['checkout_id', 'items', 'amount_total'],
    ...Object.keys(metadata),
    ...['a', 'b', 'c', 'd'],
    'ref',
  ])
  expect(sent.p0).toBe('catalog')
})

test("a cart's metadata keeps each product's own with its line", async () => {
  const shop = await startService()
  await click(shop, '/buy/tee:2,mug:2')
  const { line_items, metadata } = lastAsked(shop)
  expect(line_items.map((line) => [line.price_data.product_data.name, line.quantity])).toEqual([
    ['Black T-shirt, M', 2],
    ['Mug', 2],
  ])
  expect(line_items[0]?.price_data.product_data.metadata).toEqual({ color: 'black' })
  expect(metadata).not.toHaveProperty('color')
  expect(metadata).toMatchObject({ items: 'tee:2,mug:2', amount_total: '7400' })
})

test('products that differ only in their sku are one line for Dots, and separate ones for the shop', async () => {
  const pin = { name: 'Pin', description: 'Brass.', amount: 300, images: ['https://shop.example/pin.jpg'] }
  const shop = await startService({
    products: [
      { ...pin, sku: 'pin-left', metadata: { metal: 'brass', box: '1' } },
      { ...pin, sku: 'pin-gold', metadata: { metal: 'gold', box: '1' } },
      { ...pin, sku: 'pin-right', metadata: { box: '1', metal: 'brass' } },
    ],
  })
  const { checkoutId } = await click(shop, '/buy/pin-left:2,pin-gold:1,pin-right:3')
  const { line_items, metadata } = lastAsked(shop)
  expect(line_items.map(({ price_data, quantity }) => [price_data.product_data.metadata, quantity])).toEqual([
    [{ metal: 'brass', box: '1' }, 5],
    [{ metal: 'gold', box: '1' }, 1],
  ])
  expect(metadata).toMatchObject({ items: 'pin-left:2,pin-gold:1,pin-right:3', amount_total: '1800' })
  const { items, amountTotal } = await checkoutOf(shop, checkoutId)
  expect(items.map(({ sku, quantity }) => [sku, quantity])).toEqual([
    ['pin-left', 2],
    ['pin-gold', 1],
    ['pin-right', 3],
  ])
  expect(amountTotal).toBe(1800)
})

test('what was sold is continued in a second key beyond five hundred characters', async () => {
  const products = Array.from({ length: 45 }, (_, n) => ({
    sku: `${n}-`.padEnd(64, 'x'),
    name: `P${n}`,
    amount: 1,
  }))
  const shop = await startService({ products })
  const items = products.map(({ sku }) => `${sku}:1`).join(',')
  expect(items.length).toBeGreaterThan(3000)
  await click(shop, `/buy/${items}`)
  const { metadata = {}, line_items } = lastAsked(shop)
  expect(line_items).toHaveLength(45)
  const keys = Object.keys(metadata).filter((key) => /^items(_\d+)?$/.test(key))
  expect(keys).toEqual(['items', 'items_2', 'items_3', 'items_4', 'items_5', 'items_6', 'items_7'])
  expect(keys.map((key) => metadata[key]).join('')).toBe(items)
})

test('a session lives as long as its shortest-lived product says, and as the settings say where none does', async () => {
  const products = [
    { sku: 'short', name: 'S', amount: 1, expires_in: 600 },
    { sku: 'long', name: 'L', amount: 1, expires_in: 9000 },
    { sku: 'plain', name: 'P', amount: 1 },
  ]
  const shop = await startService({ products, env: { CHECKOUT_EXPIRES_IN: '3600' } })
  for (const [path, seconds] of [
    ['/buy/plain', 3600],
    ['/buy/long', 9000],
    ['/buy/long:1,plain:1', 3600],
    ['/buy/plain:1,short:1,long:1', 600],
  ] as const) {
    await click(shop, path)
    expect(`${path} ${lastAsked(shop).expires_in}`).toBe(`${path} ${seconds}`)
  }
})

test.each(['GET', 'POST'])('a %s reads the sales of a limited product once', async (method) => {
  const print = {
    sku: 'print',
    name: 'Print',
    amount: 6500,
    restrictions: { completed_sessions: { limit: 5 } },
  }
  const shop = await startService({ products: [print] })
  const counted = vi.spyOn(shop.services.store.checkouts, 'countSales')
  await click(shop, '/buy/print', { method })
  expect(counted.mock.calls).toEqual([['print', 5]])
})

test('two clicks are two sessions', async () => {
  const shop = await startService()
  const [first, second] = [await click(shop), await click(shop)]
  expect(first.checkoutId).not.toBe(second.checkoutId)
  expect(sessionsOf(shop)).toHaveLength(2)
  expect(rowsOf(shop)).toHaveLength(2)
})

test('the row is in the store, with its session, before the redirect', async () => {
  const shop = await startService()
  const link = '/buy/tee?quantity=2&email=jane@example.com&client_reference_id=o1&metadata_size=m'
  const { headers } = await shop.get(link)
  const [session] = sessionsOf(shop)
  const [row, ...others] = rowsOf(shop)
  expect(others).toEqual([])
  expect(row).toMatchObject({
    id: session?.metadata?.checkout_id,
    state: 'open',
    amount_total: 5000,
    currency: 'usd',
    client_reference_id: 'o1',
    customer_email: 'jane@example.com',
    session_id: session?.id,
    payment_intent_id: session?.payment_intent_id,
    checkout_url: headers.get('location'),
    expires_at: session?.expiry,
  })
  expect(JSON.parse(String(row?.items))).toEqual([
    { sku: 'tee', name: 'Black T-shirt, M', quantity: 2, amount: 2500 },
  ])
  expect(JSON.parse(String(row?.metadata))).toEqual({ color: 'black', size: 'm' })
})

test('a click costs the store one step', async () => {
  const shop = await startService()
  const { checkouts } = shop.services.store
  const steps = Object.keys(checkouts).map((query) => vi.spyOn(checkouts, query as 'find'))
  await click(shop)
  const called = steps.flatMap((step) => step.mock.calls.map(() => step.getMockName()))
  expect(called).toHaveLength(1)
})

test('the rows of clicks lie in the order of time', async () => {
  const shop = await startService()
  const ids: string[] = []
  for (let n = 0; n < 5; n++) {
    ids.push((await click(shop)).checkoutId)
    await sleep(2)
  }
  expect(ids).toEqual(ids.toSorted())
})
