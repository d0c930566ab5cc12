import { describe, expect, test } from 'vitest'
import { click, expectPage, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { type Service, startService } from '../service.ts'
import { SIGNING, signed } from '../signed-links/signed.ts'
import { CHROME } from '../visitors/client.ts'
import { formOf, submit } from './forms.ts'

// Inputs that users of similar products have reported, and others of their kinds.

const PRODUCTS = [
  { sku: 'tee', name: 'Tee', amount: 2500, adjustable_quantity: { minimum: 1, maximum: 10 } },
  { sku: 'mug', name: 'Mug', amount: 1200, adjustable_quantity: { minimum: 2, maximum: 6 } },
  { sku: 'café', name: 'Coffee', amount: 900 },
  { sku: "o'neill", name: 'Cap', amount: 700 },
  { sku: 'tee.', name: 'With a dot', amount: 1 },
  { sku: 'a&b=c', name: 'With an ampersand', amount: 2 },
]
const shopWith = (more: Parameters<typeof startService>[0] = {}) =>
  startService({ products: PRODUCTS.slice(0, 4), ...more })

async function expectSold(shop: Service, link: string, expected: object): Promise<void> {
  const before = sessionsOf(shop).length
  const answer = await shop.get(link)
  expect(`${link} ${Math.floor(answer.status / 100)}`).toBe(`${link} 3`)
  expect(sessionsOf(shop).length).toBe(before + 1)
  expect(lastAsked(shop)).toMatchObject(expected)
}

const quantity = (value: number) => ({ line_items: [{ quantity: value }] })

describe('a link whose query was glued together', () => {
  test.each([
    ['/buy/tee?quantity=2?utm_source=news', { ...quantity(2), metadata: { utm_source: 'news' } }],
    ['/buy/tee?quantity=2%3Futm_source=news', { ...quantity(2), metadata: { utm_source: 'news' } }],
    ['/buy/tee?quantity=2&amp;utm_source=news', { ...quantity(2), metadata: { utm_source: 'news' } }],
    ['/buy/tee?quantity=2%26utm_source=news', { ...quantity(2), metadata: { utm_source: 'news' } }],
    ['/buy/tee?quantity=2;utm_source=news', { ...quantity(2), metadata: { utm_source: 'news' } }],
    ['/buy/tee?quantity=2%20utm_source=news', { ...quantity(2), metadata: { utm_source: 'news' } }],
    [
      '/buy/tee?email=jane@example.com?utm_source=x',
      { customer_email: 'jane@example.com', metadata: { utm_source: 'x' } },
    ],
    [
      '/buy/tee?email=jane@example.com.?utm_source=x',
      { customer_email: 'jane@example.com', metadata: { utm_source: 'x' } },
    ],
    ['/buy/tee?gclid=1?client_reference_id=order-1042', { client_reference_id: 'order-1042' }],
    ['/buy/tee&utm_source=news', { ...quantity(1), metadata: { utm_source: 'news' } }],
    ['/buy/tee%26quantity=3', quantity(3)],
    ['/buy/tee%3Fquantity=3', quantity(3)],
    ['/buy/tee.&quantity=3', quantity(3)],
    ['/buy/tee:3&utm_source=news', { ...quantity(3), metadata: { utm_source: 'news' } }],
    ['/buy/tee&', quantity(1)],
  ])('%s', async (link, expected) => {
    await expectSold(await shopWith(), link, expected)
  })

  test('a form is read by the same rules', async () => {
    const shop = await shopWith()
    const body = new URLSearchParams({ quantity: '2?utm_source=news' })
    await click(shop, '/buy/tee', { method: 'POST', body })
    expect(lastAsked(shop)).toMatchObject({ ...quantity(2), metadata: { utm_source: 'news' } })
  })

  test('the query of a page to continue to is its own', async () => {
    const shop = await shopWith()
    const to = encodeURIComponent('/products/mug?quantity=4&ref=x')
    const answer = await shop.get(`/buy/tee?continue_to=${to}`)
    expect(answer.headers.get('location')).toBe('/products/mug?quantity=4&ref=x')
  })
})

describe('what stands behind or around a link', () => {
  test.each([
    '.',
    ')',
    '%20',
    '%C2%A0',
    '%E2%80%8B',
    '%3E',
    '%22',
    '!',
    '%E3%80%82',
    '%E2%80%9D',
    ').',
    '*',
    '_',
  ])('%s does no harm', async (tail) => {
    const shop = await shopWith()
    await expectSold(shop, `/buy/tee${tail}`, quantity(1))
    await expectSold(shop, `/buy/tee:2${tail}`, quantity(2))
    await expectSold(shop, `/buy/tee?quantity=2${tail}`, quantity(2))
    expect((await shop.get(`/products/tee${tail}`)).status).toBe(200)
  })

  test('a sku that has it is found first', async () => {
    const shop = await startService({ products: PRODUCTS })
    await expectSold(shop, '/buy/tee.', { line_items: [{ price_data: { amount: 1 } }] })
    await expectSold(shop, '/buy/tee.)', { line_items: [{ price_data: { amount: 1 } }] })
    await expectSold(shop, '/buy/a&b=c', { line_items: [{ price_data: { amount: 2 } }] })
  })

  test.each(['//buy/tee', '/buy//tee', '///buy///tee///', '/buy/tee//'])(
    '%s is as with one slash',
    async (path) => {
      const shop = await shopWith()
      expect((await fetch(`${shop.url}${path}`, { redirect: 'manual' })).status).toBe(302)
    },
  )

  test('slashes in a row count as one on every route', async () => {
    const shop = await shopWith({
      env: { DOTS_WEBHOOK_SECRET: 'whsec_dGhlIHNhbmRib3ggc2lnbnMgd2l0aCB0aGlzIQ==' },
    })
    const post = await fetch(`${shop.url}//webhooks/dots`, { method: 'POST', body: '{}' })
    expect(post.status).toBe(401)
    expect((await fetch(`${shop.url}//products//tee`)).status).toBe(200)
    expect((await fetch(`${shop.url}//healthz`)).status).toBe(200)
  })

  test.each([
    ['/buy/cafe%CC%81', 'Coffee'],
    ['/buy/caf%C3%A9', 'Coffee'],
    ['/buy/o%E2%80%99neill', 'Cap'],
    ['/buy/o%EF%BC%87neill', 'Cap'],
    ['/buy/t%C2%ADee%EF%B8%8F', 'Tee'],
  ])('%s is found by its plain form', async (link, name) => {
    await expectSold(await shopWith(), link, { line_items: [{ price_data: { product_data: { name } } }] })
  })

  test('case counts, and a token is taken exactly', async () => {
    const shop = await shopWith()
    await expectPage(await shop.get('/buy/TEE'), 404)
    await expectPage(await shop.get(`/buy/~${Buffer.from('cafe\u0301').toString('base64url')}`), 404)
  })
})

describe('a quantity', () => {
  test.each([
    ['02', 2],
    ['2.0', 2],
    ['2,0', 2],
    ['2%20', 2],
    ['%202', 2],
    ['', 1],
    ['%20', 1],
    ['{{qty}}', 1],
    ['2&qty=02', 2],
  ])('%j is %i', async (text, value) => {
    await expectSold(await shopWith(), `/buy/tee?quantity=${text}`, quantity(value))
  })

  test('in a permalink keeps its grammar', async () => {
    const shop = await shopWith()
    for (const items of ['tee:02', 'tee:2.0', 'tee:', 'tee:2,']) {
      const { text } = await expectPage(await shop.get(`/buy/${items}`), 400)
      expect(text).toMatch(/(?:href="\/products|action="\/buy)\/tee/)
    }
  })
})

describe('a signed link', () => {
  const LINK = signed({ amount: 1900 })

  test.each([
    '?utm_source=mail',
    '.',
    ')',
    '%3E',
    '%20',
    '%E2%80%8B',
    '&amp;utm_source=mail',
    ').?utm_source=mail',
  ])('with %s behind it is sold as signed', async (tail) => {
    const shop = await startService({ env: SIGNING })
    await expectSold(shop, LINK + tail, { line_items: [{ quantity: 2, price_data: { amount: 1900 } }] })
  })

  test('is never sold at the list price with its signature damaged', async () => {
    const shop = await startService({ env: SIGNING })
    for (const link of [
      LINK.replace('amount=1900', 'amount=1'),
      LINK.slice(0, -6),
      LINK.replace('tee:2', 'tee:3'),
    ]) {
      const { text } = await expectPage(await shop.get(link), 403)
      expect(text).toContain('/products/tee')
      expect(text).not.toContain('1900')
    }
    expect(sessionsOf(shop)).toEqual([])
  })
})

describe('placeholders that were not filled in', () => {
  const EMPTY = [
    '__CAMPAIGN_NAME__',
    '-name-',
    'undefined',
    'null',
    'NULL',
    'NaN',
    '__a__',
    '[object Object]',
    '(not set)',
  ]
  const OTHERS = [
    '{$name}',
    '[subscriber:firstname]',
    '@FIRSTNAME@',
    '{name}',
    '%name%',
    '%%name%%',
    '*|NAME|*',
    '<name>',
  ]
  const MORE = [
    `$${'{name}'}`,
    '#name#',
    '~name~',
    '[name]',
    '$name$',
    '$$name$$',
    '{{ first }} {{ last }}',
    '{a}{b}',
    '%a% %b%',
  ]

  test.each([...EMPTY, ...OTHERS, ...MORE])('%s is no data', async (value) => {
    const shop = await shopWith()
    const text = encodeURIComponent(value)
    await click(
      shop,
      `/buy/tee?client_reference_id=${text}&utm_source=${text}&metadata_a=${text}&email=${text}&quantity=${text}&ref=ok`,
    )
    const { metadata, ...asked } = lastAsked(shop)
    expect(asked.client_reference_id).toBeUndefined()
    expect(asked.customer_email).toBeUndefined()
    expect(asked.line_items[0]?.quantity).toBe(1)
    expect(metadata).toMatchObject({ ref: 'ok' })
    expect(metadata).not.toHaveProperty('a')
    expect(metadata).not.toHaveProperty('utm_source')
  })

  test.each(['order-1_2', '-a', 'a-', '_a_', 'nullable', 'a__b__c', 'NaNa'])('%s is data', async (value) => {
    const shop = await shopWith()
    await click(shop, `/buy/tee?client_reference_id=${value}&utm_source=${value}&ref=x`)
    expect(lastAsked(shop)).toMatchObject({ client_reference_id: value, metadata: { utm_source: value } })
  })

  test.each(['I <3 you', '50% off', 'a [b] c', '{"a":1}', '#1', '$5', 'x@y', '3 - 2'])(
    '%s is a note',
    async (value) => {
      const shop = await shopWith()
      await click(shop, `/buy/tee?metadata_a=${encodeURIComponent(value)}&ref=x`)
      expect(lastAsked(shop).metadata).toMatchObject({ a: value })
    },
  )
})

test('a person whose browser has text behind its name loses nothing', async () => {
  const shop = await shopWith()
  const agent = `${CHROME} ||| ReqID: 9 | Initiator: https://tool.example`
  const link = '/buy/tee:3?client_reference_id=order-1042&email=jane@example.com&utm_source=news'
  await click(shop, link, { headers: { 'user-agent': agent } })
  expect(lastAsked(shop)).toMatchObject({
    ...quantity(3),
    client_reference_id: 'order-1042',
    customer_email: 'jane@example.com',
  })
  // One that is taken for a preview gets a page with a form.
  const page = await (await shop.get(link, { headers: { 'user-agent': 'Twitterbot/1.0' } })).text()
  await submit(shop, formOf(page))
  expect(lastAsked(shop)).toMatchObject({
    ...quantity(3),
    client_reference_id: 'order-1042',
    customer_email: 'jane@example.com',
    metadata: { utm_source: 'news' },
  })
})
