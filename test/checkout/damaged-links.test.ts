import { expect, test } from 'vitest'
import { PRODUCTS, startService } from '../service.ts'
import { click, expectPage, lastAsked } from './clicks.ts'

const TAILS = ['.', ';', '!', ')', ']', '}', '%3E', '%22', "'", '*', '_', '…', '”', '」', '。', '.)', '?']

test.each([...TAILS, '%20', '%C2%A0', '%E2%80%8B', '%0A', ',', '?.'])(
  '%s behind a link is not a part of it',
  async (tail) => {
    const shop = await startService()
    const sold: number[][] = []
    const links = ['tee', '~dGVl', 'tee:2', 'tee:2,mug:3', 'tee?quantity=2']
    for (const link of tail === ',' ? links.slice(0, 2) : links) {
      await click(shop, `/buy/${link}${tail}`)
      sold.push(lastAsked(shop).line_items.map(({ quantity }) => quantity))
    }
    expect(sold).toEqual([[1], [1], [2], [2, 3], [2]].slice(0, sold.length))
  },
)

test('a sku that ends in punctuation is found before one without it', async () => {
  const products = [...PRODUCTS, { sku: 'tee.', name: 'With a dot', amount: 1 }]
  const shop = await startService({ products })
  const prices: unknown[] = []
  for (const path of ['/buy/tee.', '/buy/tee.)', '/buy/tee..', '/buy/tee']) {
    await click(shop, path)
    prices.push(lastAsked(shop).line_items[0]?.price_data.amount)
  }
  expect(prices).toEqual([1, 1, 1, 2500])
})

test.each(['/buy/tee:', '/buy/tee:2,', '/buy/tee:2,.', '/buy/tee:2:', '/buy/tee:2,mug', '/buy/tee:2,mug:.'])(
  '%s has lost something, and nothing is guessed',
  async (path) => {
    const shop = await startService()
    await expectPage(await shop.get(path), 400)
    expect(shop.sandbox.requests).toEqual([])
  },
)

test('an unknown product stays unknown', async () => {
  const shop = await startService()
  for (const path of ['/buy/nope.', '/buy/...', '/buy/nope:1.', `/buy/tee${'.'.repeat(100)}`]) {
    await expectPage(await shop.get(path), 404)
  }
})

test('a last value that cannot be used is used without the punctuation behind it', async () => {
  const shop = await startService()
  await click(shop, '/buy/tee?client_reference_id=order-1&email=jane@example.com).')
  expect(lastAsked(shop)).toMatchObject({
    customer_email: 'jane@example.com',
    client_reference_id: 'order-1',
  })
  await click(shop, '/buy/tee?reference_id=order_1_.')
  expect(lastAsked(shop).client_reference_id).toBe('order_1_')
  await click(shop, '/buy/tee?qty=2&quantity=2.')
  expect(lastAsked(shop).line_items[0]?.quantity).toBe(2)
})

test('a value that can be used stays as it is', async () => {
  const shop = await startService()
  await click(shop, '/buy/tee?client_reference_id=order-1_&metadata_note=Hello!&utm_source=news.')
  expect(lastAsked(shop)).toMatchObject({
    client_reference_id: 'order-1_',
    metadata: { note: 'Hello!', utm_source: 'news.' },
  })
})

test("a product's page is found with punctuation behind its link", async () => {
  const shop = await startService()
  for (const tail of TAILS) expect((await shop.get(`/products/tee${tail}`)).status).toBe(200)
  expect((await shop.get('/products/nope.')).status).toBe(404)
})
