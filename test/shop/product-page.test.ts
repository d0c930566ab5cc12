import { describe, expect, test } from 'vitest'
import { lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { change } from '../orders/sale.ts'
import { readTags, text } from '../pages/markup.ts'
import { PRODUCTS, type Service, startService } from '../service.ts'

const NOW = new Date('2026-11-22T10:00:00Z')
const CATALOG = [
  ...PRODUCTS,
  { sku: 'Größe/2', name: 'Umlaut', amount: 700 },
  { sku: 'single', name: 'Single', amount: 900, adjustable_quantity: { minimum: 1, maximum: 1 } },
  { sku: 'early', name: 'Early', amount: 100, starts_at: '2026-12-01T00:00:00Z' },
  { sku: 'print', name: 'Print', amount: 6500, restrictions: { completed_sessions: { limit: 1 } } },
]

async function pageOf(shop: Service, path: string): Promise<string> {
  const answer = await shop.get(path, { headers: { 'accept-language': 'en-US' } })
  expect(`${path} ${answer.status}`).toBe(`${path} 200`)
  return await answer.text()
}

/** The content of the page's meta tags by their name or property, each as a list. */
function metaOf(page: string): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  for (const { name, attributes } of readTags(page)) {
    const key = attributes.property ?? attributes.name
    if (name === 'meta' && key !== undefined) found[key] = [...(found[key] ?? []), attributes.content ?? '']
  }
  return found
}

function structuredDataOf(page: string) {
  const script = /<script type="application\/ld\+json">([\s\S]*?)<\/script>/.exec(page)?.[1]
  return JSON.parse(script ?? 'null')
}

describe('a product page', () => {
  test('shows picture, name, price and description, and a form that opens a checkout', async () => {
    const shop = await startService()
    const page = await pageOf(shop, '/products/tee')
    for (const part of ['Black T-shirt, M', '$25.00', 'Heavy cotton.', 'Buy'])
      expect(text(page)).toContain(part)
    const tags = readTags(page)
    expect(tags.find(({ name }) => name === 'img')?.attributes).toMatchObject({
      src: 'https://shop.example/tee.jpg',
      alt: 'Black T-shirt, M',
    })
    const form = tags.find(({ name }) => name === 'form')?.attributes
    expect(form).toEqual({ method: 'post', action: '/buy/tee' })
    const answer = await shop.get('/buy/tee', {
      method: 'POST',
      body: new URLSearchParams({ quantity: '2' }),
    })
    expect([answer.status, answer.headers.get('location')]).toEqual([
      303,
      sessionsOf(shop)[0]?.checkout_session_url,
    ])
    expect(lastAsked(shop).line_items[0]?.quantity).toBe(2)
  })

  test('bounds the quantity by the limits of the product, in the form and when it is sent', async () => {
    const shop = await startService({ products: CATALOG })
    const field = (page: string) =>
      readTags(page).find(({ name, attributes }) => name === 'input' && attributes.name === 'quantity')
        ?.attributes
    expect(field(await pageOf(shop, '/products/mug'))).toMatchObject({
      type: 'number',
      min: '2',
      max: '6',
      value: '2',
    })
    expect(field(await pageOf(shop, '/products/tee'))).toMatchObject({
      type: 'number',
      min: '1',
      max: '99',
      value: '1',
    })
    expect(field(await pageOf(shop, '/products/single'))).toMatchObject({ type: 'hidden', value: '1' })
    for (const quantity of ['1', '7', '2.5', 'x']) {
      const answer = await shop.get('/buy/mug', { method: 'POST', body: new URLSearchParams({ quantity }) })
      expect(`${quantity} ${answer.status}`).toBe(`${quantity} 400`)
    }
  })

  test('has Open Graph and Twitter tags for link previews', async () => {
    const shop = await startService({
      env: { PUBLIC_URL: 'https://buy.shop.example', MERCHANT_NAME: 'Tees & Co' },
    })
    expect(metaOf(await pageOf(shop, '/products/tee'))).toMatchObject({
      'og:type': ['product'],
      'og:site_name': ['Tees & Co'],
      'og:title': ['Black T-shirt, M'],
      'og:description': ['Heavy cotton.'],
      'og:url': ['https://buy.shop.example/products/tee'],
      'og:image': ['https://shop.example/tee.jpg'],
      'product:price:amount': ['25.00'],
      'product:price:currency': ['USD'],
      'twitter:card': ['summary_large_image'],
      'twitter:title': ['Black T-shirt, M'],
      'twitter:description': ['Heavy cotton.'],
      'twitter:image': ['https://shop.example/tee.jpg'],
      description: ['Heavy cotton.'],
    })
    const plain = metaOf(await pageOf(shop, '/products/mug'))
    expect(plain['twitter:card']).toEqual(['summary'])
    expect(plain).not.toHaveProperty('og:image')
    expect(plain).not.toHaveProperty('og:description')
  })

  test('describes the product to search engines: schema.org', async () => {
    const shop = await startService({
      products: CATALOG,
      now: () => NOW,
      env: { PUBLIC_URL: 'https://buy.shop.example' },
    })
    expect(structuredDataOf(await pageOf(shop, '/products/tee'))).toEqual({
      '@context': 'https://schema.org',
      '@type': 'Product',
      sku: 'tee',
      name: 'Black T-shirt, M',
      description: 'Heavy cotton.',
      image: ['https://shop.example/tee.jpg'],
      offers: {
        '@type': 'Offer',
        price: '25.00',
        priceCurrency: 'USD',
        availability: 'https://schema.org/InStock',
        url: 'https://buy.shop.example/products/tee',
      },
    })
    expect(structuredDataOf(await pageOf(shop, '/products/lamp')).offers.availability).toBe(
      'https://schema.org/OutOfStock',
    )
  })

  test('may be indexed by search engines, unlike a buy link', async () => {
    const shop = await startService()
    expect((await shop.get('/products/tee')).headers.get('x-robots-tag')).toBe(null)
    expect((await shop.get('/buy/tee')).headers.get('x-robots-tag')).toBe('noindex')
    const preview = await shop.get('/buy/tee', { headers: { 'user-agent': 'Twitterbot/1.0' } })
    expect(preview.headers.get('x-robots-tag')).toBe('noindex')
    const canonical = readTags(await preview.text()).find(({ attributes }) => attributes.rel === 'canonical')
    expect(canonical?.attributes.href).toBe(`${shop.url}/products/tee`)
  })

  test('of a product that cannot be bought gives the reason, and has no form', async () => {
    const shop = await startService({ products: CATALOG, now: () => NOW })
    for (const [path, message] of [
      ['/products/lamp', 'Back in spring.'],
      ['/products/early', 'Its sale starts on '],
    ]) {
      const page = await pageOf(shop, path ?? '')
      expect(text(page)).toContain(message)
      expect(readTags(page).some(({ name }) => name === 'form')).toBe(false)
    }
  })

  test('of a sold out product says so, to previews too', async () => {
    const shop = await startService({ products: CATALOG, now: () => NOW })
    expect(text(await pageOf(shop, '/products/print'))).not.toContain('sold out')
    await shop.get('/buy/print')
    const [session] = sessionsOf(shop)
    await shop.sandbox.pay(session?.id ?? '')
    await fetch(session?.success_url ?? '')
    const page = await pageOf(shop, '/products/print')
    expect(text(page)).toContain('sold out')
    expect(readTags(page).some(({ name }) => name === 'form')).toBe(false)
    expect(structuredDataOf(page).offers.availability).toBe('https://schema.org/OutOfStock')
    const bot = { headers: { 'user-agent': 'Twitterbot/1.0' } }
    expect((await shop.get('/buy/print', bot)).status).toBe(410)
  })

  test('is shown as for sale where the database cannot count sales, and the log has the event', async () => {
    const shop = await startService({ products: CATALOG })
    change(shop, 'alter table sales rename to hidden')
    expect(text(await pageOf(shop, '/products/print'))).toContain('Buy')
    expect(shop.log).toContainEqual(expect.objectContaining({ event: 'sales-limit.skipped' }))
  })

  test('is found by every form of the sku', async () => {
    const shop = await startService({ products: CATALOG })
    const encoded = `~${Buffer.from('Größe/2').toString('base64url')}`
    for (const item of [encoded, encodeURIComponent('Größe/2')]) {
      const page = await pageOf(shop, `/products/${item}`)
      expect(readTags(page).find(({ name }) => name === 'form')?.attributes.action).toBe(`/buy/${encoded}`)
    }
  })

  test('of an unknown product is a 404 page', async () => {
    const shop = await startService()
    for (const item of ['nothing', 'tee:1', '~', '%00']) {
      const answer = await shop.get(`/products/${item}`)
      expect([400, 404]).toContain(answer.status)
      expect(answer.headers.get('x-robots-tag')).toBe('noindex')
    }
    expect((await shop.get('/products/nothing')).status).toBe(404)
  })
})

describe('pages and QR codes that are requested again', () => {
  test('have an ETag, and are not sent again to a client that has them', async () => {
    const shop = await startService()
    for (const path of ['/', '/products/tee', '/qr/tee.svg', '/qr/tee.png']) {
      const first = await shop.get(path)
      const etag = first.headers.get('etag')
      expect(`${path} ${etag}`).toMatch(/"[^"]+"$/)
      const again = await shop.get(path, { headers: { 'if-none-match': etag ?? '' } })
      expect(`${path} ${again.status} ${await again.text()}`).toBe(`${path} 304 `)
      expect((await shop.get(path, { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
    }
  })

  test('have another ETag where their content differs', async () => {
    const shop = await startService()
    const etag = async (path: string, headers: Record<string, string> = {}) =>
      (await shop.get(path, { headers })).headers.get('etag')
    const plain = await etag('/')
    expect(await etag('/', { 'accept-language': 'de-DE' })).not.toBe(plain)
    const kept = await shop.get('/buy/tee:2?continue_to=/')
    const cookie = kept.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    expect(await etag('/', { cookie })).not.toBe(plain)
    expect(await etag('/products/tee')).not.toBe(await etag('/products/mug'))
  })
})
