import { describe, expect, test } from 'vitest'
import { expectBuyHeaders, expectPage, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { PRODUCTS, type Service, startService } from '../service.ts'

const UMLAUT = 'Größe/2:"rot"'
const CATALOG = [
  ...PRODUCTS,
  { sku: 'a.b_c-D', name: 'Plain characters', amount: 300 },
  { sku: UMLAUT, name: 'Umlaut', amount: 700 },
  { sku: 'print', name: 'Print', amount: 6500, restrictions: { completed_sessions: { limit: 1 } } },
]

const token = (sku: string) => `~${Buffer.from(sku).toString('base64url')}`

/** What was sold by the newest session: name and quantity of each line. */
function sold(shop: Service): string[] {
  return lastAsked(shop).line_items.map(
    ({ quantity, price_data }) => `${quantity} ${price_data.product_data.name}`,
  )
}

async function expectSale(shop: Service, path: string, lines: string[]): Promise<void> {
  const before = sessionsOf(shop).length
  const answer = await shop.get(path)
  expect(`${path} ${answer.status}`).toBe(`${path} 303`)
  expect(sessionsOf(shop).length - before).toBe(1)
  expect(answer.headers.get('location')).toBe(sessionsOf(shop).at(-1)?.checkout_session_url)
  expect(sold(shop)).toEqual(lines)
}

async function expectRefusal(shop: Service, path: string, status: number): Promise<string> {
  const before = shop.sandbox.requests.length
  const answer = await shop.get(path)
  expect(`${path} ${answer.status}`).toBe(`${path} ${status}`)
  const { text } = await expectPage(answer, status)
  expect(shop.sandbox.requests.length - before).toBe(0)
  return text
}

describe('path', () => {
  test('item:quantity pairs joined by commas are one cart', async () => {
    const shop = await startService()
    await expectSale(shop, '/buy/tee:1', ['1 Black T-shirt, M'])
    await expectSale(shop, '/buy/tee:2,mug:3', ['2 Black T-shirt, M', '3 Mug'])
    await expectSale(shop, '/buy/tee%3A2%2Cmug%3A3', ['2 Black T-shirt, M', '3 Mug'])
  })

  test('an item is the sku itself where it is made of A-Z a-z 0-9 . _ -', async () => {
    const shop = await startService({ products: CATALOG })
    await expectSale(shop, '/buy/a.b_c-D:2', ['2 Plain characters'])
  })

  test('any other sku is ~ and the unpadded base64url of its UTF-8', async () => {
    const shop = await startService({ products: CATALOG })
    await expectSale(shop, `/buy/${token(UMLAUT)}:2`, ['2 Umlaut'])
  })

  test('both forms of one sku are the same sku', async () => {
    const shop = await startService()
    await expectSale(shop, `/buy/${token('tee')}:2`, ['2 Black T-shirt, M'])
    await expectSale(shop, `/buy/tee:2,${token('tee')}:1`, ['3 Black T-shirt, M'])
  })

  test('the bare sku without a quantity is the short form of this service, a 302', async () => {
    const shop = await startService()
    expect((await shop.get('/buy/tee')).status).toBe(302)
    expect((await shop.get(`/buy/${token('tee')}`)).status).toBe(302)
    expect((await shop.get('/buy/tee:1')).status).toBe(303)
  })

  test('quantities in the query do not change a permalink', async () => {
    const shop = await startService()
    for (const query of [
      'line_items/0/quantity=5',
      '/line_items/0/quantity=5',
      'quantity=5',
      'qty=x',
      'line_items/0/item/id=mug',
    ]) {
      await expectSale(shop, `/buy/tee:2?${query}`, ['2 Black T-shirt, M'])
    }
  })

  test('quantities of one sku are summed before limits are checked', async () => {
    const shop = await startService()
    await expectSale(shop, '/buy/mug:1,mug:1', ['2 Mug'])
    await expectSale(shop, '/buy/mug:3,tee:1,mug:3', ['6 Mug', '1 Black T-shirt, M'])
    await expectRefusal(shop, '/buy/mug:4,mug:3', 400)
  })

  test('URLs of 2,048 characters and more are served', async () => {
    const products = Array.from({ length: 60 }, (_, n) => ({
      sku: `a-sku-that-takes-its-time-to-be-read-${String(n).padStart(3, '0')}`,
      name: `Product ${n}`,
      amount: 100,
    }))
    const shop = await startService({ products })
    const items = products.map(({ sku }) => `${sku}:2`).join(',')
    expect(items.length).toBeGreaterThan(2_048)
    await expectSale(
      shop,
      `/buy/${items}`,
      products.map(({ name }) => `2 ${name}`),
    )
    await expectSale(shop, `/buy/${products[0]?.sku}:1?utm_content=x&junk=${'y'.repeat(4_000)}`, [
      '1 Product 0',
    ])
  })
})

describe('query', () => {
  test('two spellings of one parameter count once where they agree, and as absent where they differ', async () => {
    const shop = await startService()
    await shop.get('/buy/tee:1?/buyer/email=jo%40example.com&email=jo%40example.com')
    expect(lastAsked(shop).customer_email).toBe('jo@example.com')
    await shop.get('/buy/tee:1?buyer/email=jo%40example.com&prefilled_email=eve%40example.com')
    expect(lastAsked(shop)).not.toHaveProperty('customer_email')
  })

  test('fields of the standard that the service does not use are dropped', async () => {
    const shop = await startService()
    const fields = {
      'buyer/first_name': 'Jo',
      'context/address_country': 'US',
      'discounts/codes/0': 'SALE',
      'fulfillment/methods/0/type': 'shipping',
      'payment/instruments/0/id': 'card',
      'totals/0/amount': '1',
      'line_items/0/item/price': '1',
      id: 'cs_1',
      status: 'completed',
      gclid: 'xyz',
    }
    const answer = await shop.get(`/buy/tee:1?${new URLSearchParams(fields)}`)
    const asked = lastAsked(shop)
    expect(Object.keys(asked.metadata ?? {}).sort()).toEqual([
      'amount_total',
      'checkout_id',
      'color',
      'items',
    ])
    expect(Object.keys(asked).sort()).toEqual(
      ['cancel_url', 'expires_in', 'line_items', 'metadata', 'mode', 'success_url'].sort(),
    )
    expect(asked.line_items[0]?.price_data.amount).toBe(2500)
    const forwarded = [answer.headers.get('location'), asked.success_url, asked.cancel_url].join(' ')
    for (const value of ['Jo', 'SALE', 'gclid', 'xyz', 'fulfillment']) expect(forwarded).not.toContain(value)
  })

  test('attribution goes into the metadata under its plain names', async () => {
    const shop = await startService()
    await shop.get('/buy/tee:1?attribution/utm_source=mail&attribution/campaign_id=7&utm_medium=email&ref=jo')
    expect(lastAsked(shop).metadata).toMatchObject({
      utm_source: 'mail',
      campaign_id: '7',
      utm_medium: 'email',
      ref: 'jo',
    })
  })

  test('fields that the service fills in itself cannot be set', async () => {
    const shop = await startService()
    await shop.get(
      '/buy/tee:1?metadata_checkout_id=x&metadata_items=mug:1&attribution/amount_total=1&metadata_link=y&success_url=https://evil.example&currency=eur&amount=1',
    )
    const { metadata, line_items } = lastAsked(shop)
    expect(metadata?.items).toBe('tee:1')
    expect(metadata?.amount_total).toBe('2500')
    expect(metadata).not.toHaveProperty('link')
    expect(metadata?.checkout_id).toMatch(/^[0-9a-f]{44}$/)
    expect(line_items[0]?.price_data).toMatchObject({ currency: 'usd', amount: 2500 })
    expect(lastAsked(shop).success_url.startsWith(`${shop.url}/success?checkout=`)).toBe(true)
  })

  test('nothing sensitive is logged', async () => {
    const shop = await startService()
    await shop.get(
      '/buy/tee:1?buyer/email=jane.roe%40example.com&metadata_note=between-us&buyer/phone=555-0100',
    )
    for (const secret of ['jane.roe', 'between-us', '555-0100']) expect(shop.logText()).not.toContain(secret)
  })
})

describe('answer', () => {
  test('303 to the hosted checkout, with headers that keep it out of caches, referrers and search engines', async () => {
    const shop = await startService()
    const answer = await shop.get('/buy/tee:1')
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe(sessionsOf(shop)[0]?.checkout_session_url)
    expectBuyHeaders(answer)
  })

  test('an unknown item gets a 404 page with a link to the shop', async () => {
    const shop = await startService()
    expect(await expectRefusal(shop, '/buy/nothing:1', 404)).toContain('href="/"')
    await expectRefusal(shop, '/buy/tee:1,nothing:1', 404)
  })

  test('a quantity outside the limits gets a page that names the limits', async () => {
    const shop = await startService()
    expect(await expectRefusal(shop, '/buy/mug:7', 400)).toContain('from 2 to 6')
    expect(await expectRefusal(shop, '/buy/mug:1', 400)).toContain('from 2 to 6')
  })

  test('a product that is not for sale or sold out gets a page with the reason', async () => {
    const shop = await startService({ products: CATALOG })
    expect(await expectRefusal(shop, '/buy/tee:1,lamp:1', 410)).toContain('Back in spring.')
    await shop.get('/buy/print:1')
    const [session] = sessionsOf(shop)
    await shop.sandbox.pay(session?.id ?? '')
    await fetch(session?.success_url ?? '')
    expect(await expectRefusal(shop, '/buy/print:1', 410)).toContain('sold out')
  })

  test('a malformed link gets a 4xx page', async () => {
    const shop = await startService()
    const broken = [
      'tee:0',
      'tee:x',
      'tee,mug:2',
      '~!:1',
      '~dGVl=:1',
      '~dGVl=',
      'a%20b:1',
      '%00:1',
      'tee:1;mug:2',
      'a:1,a:1,',
    ]
    for (const items of broken) {
      await expectRefusal(shop, `/buy/${items}`, 400)
    }
    await expectPage(await shop.get('/buy/%ff:1'), 400)
  })
})
