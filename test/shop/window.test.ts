import { expect, test } from 'vitest'
import { unescaped } from '../checkout/clicks.ts'
import { PRODUCTS, type Service, startService } from '../service.ts'

async function windowOf(shop: Service, path = '/', headers: Record<string, string> = {}): Promise<string> {
  const answer = await shop.get(path, { headers })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
  return unescaped(await answer.text())
}

function buyLinksIn(page: string): string[] {
  return [...page.matchAll(/href="(\/buy\/[^"]*)"/g)].map(([, link = '']) => link)
}

test('the shop window shows what can be bought now, each with its Buy link', async () => {
  const products = [
    ...PRODUCTS,
    { sku: 'early', name: 'Early', amount: 100, starts_at: '2026-11-22T10:00:01Z' },
    { sku: 'late', name: 'Late', amount: 100, ends_at: '2026-11-22T10:00:00Z' },
  ]
  const shop = await startService({ products, now: () => new Date('2026-11-22T10:00:00Z') })
  const page = await windowOf(shop)
  expect(buyLinksIn(page)).toEqual(['/buy/tee', '/buy/mug'])
  expect(page).toContain('$25.00')
  expect(shop.sandbox.requests).toEqual([])
})

test('a sale that begins or ends shows at once, also in a window that was requested before', async () => {
  let now = new Date('2026-11-22T09:59:59.999Z')
  const products = [
    { sku: 'early', name: 'Early', amount: 100, ends_at: '2026-11-22T10:00:00Z' },
    { sku: 'late', name: 'Late', amount: 100, starts_at: '2026-11-22T10:00:00Z' },
  ]
  const shop = await startService({ products, now: () => now })
  for (let look = 0; look < 2; look++) expect(buyLinksIn(await windowOf(shop))).toEqual(['/buy/early'])
  now = new Date('2026-11-22T10:00:00Z')
  expect(buyLinksIn(await windowOf(shop))).toEqual(['/buy/late'])
})

test('every Buy link in the window opens a checkout, whatever characters the sku has', async () => {
  const skus = ['plain-1', 'Größe_2', 'a/b', 'C:1,2', '50%', '..']
  const shop = await startService({ products: skus.map((sku) => ({ sku, name: sku, amount: 100 })) })
  const links = buyLinksIn(await windowOf(shop))
  expect(links).toHaveLength(skus.length)
  for (const link of links) expect(`${link} ${(await shop.get(link)).status}`).toBe(`${link} 302`)
  const sold = [...shop.sandbox.sessions.values()].map(
    ({ asked }) => asked.line_items[0]?.price_data.product_data.name,
  )
  expect(sold).toEqual(skus)
})

test('prices are written in the locale of the visitor', async () => {
  const shop = await startService()
  expect(await windowOf(shop, '/', { 'accept-language': 'de-DE' })).toContain('25,00\u00a0$')
})

test('search engines may index the window, but not follow the links in it', async () => {
  const shop = await startService()
  const { headers } = await shop.get('/')
  expect(headers.get('x-robots-tag')).toBe(null)
  expect(headers.get('cache-control')).toBe('private, no-cache')
  expect(await windowOf(shop)).not.toMatch(/<a[^>]*href="\/buy\/[^"]*"(?![^>]*rel="nofollow")/)
})

test('a large shop shows its products in pages, and a page number that is too high shows the last page', async () => {
  const products = Array.from({ length: 100 }, (_, n) => ({
    sku: `p${n}`,
    name: `Product ${n}`,
    amount: 100,
  }))
  const shop = await startService({ products })
  const seen: string[] = []
  for (const page of [1, 2, 3]) seen.push(...buyLinksIn(await windowOf(shop, `/?page=${page}`)))
  expect(seen).toEqual(products.map(({ sku }) => `/buy/${sku}`))
  expect(buyLinksIn(await windowOf(shop, '/?page=99'))).toEqual(seen.slice(96))
})

test('text of the catalog is shown as text', async () => {
  const shop = await startService({
    products: [{ sku: 'x', name: '<script>alert(1)</script>', amount: 100 }],
  })
  expect(await (await shop.get('/')).text()).not.toContain('<script')
})

test('an empty shop says so', async () => {
  const shop = await startService({ products: [] })
  expect(await windowOf(shop)).toContain('No products are available right now.')
})

test('a HEAD of the window is answered without a body', async () => {
  const shop = await startService()
  const answer = await shop.get('/', { method: 'HEAD' })
  expect([answer.status, await answer.text()]).toEqual([200, ''])
})
