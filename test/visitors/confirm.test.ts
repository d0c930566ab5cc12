import { describe, expect, test } from 'vitest'
import { expectBuyHeaders, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { readTags, text } from '../pages/markup.ts'
import { PRODUCTS, type Service, startService } from '../service.ts'

const CATALOG = [...PRODUCTS, { sku: 'print', name: 'Print', amount: 6500, confirm: true }]

/** Opens a link that needs confirmation; returns what its one form would post. */
async function openConfirm(shop: Service, path: string) {
  const before = shop.sandbox.requests.length
  const answer = await shop.get(path)
  const page = await answer.text()
  expect(`${path} ${answer.status}`).toBe(`${path} 200`)
  expectBuyHeaders(answer)
  expect(text(page)).toContain('Is this your order?')
  expect(shop.sandbox.requests.length).toBe(before)
  const tags = readTags(page)
  expect(tags.filter(({ name }) => name === 'button')).toHaveLength(1)
  expect(tags.filter(({ name }) => name === 'script')).toEqual([])
  expect(tags.some(({ attributes }) => attributes.href?.startsWith('/buy'))).toBe(false)
  const form = tags.find(({ name }) => name === 'form')?.attributes
  expect(form?.method).toBe('post')
  const fields = tags.flatMap(({ name, attributes }): [string, string][] =>
    name === 'input' ? [[attributes.name ?? '', attributes.value ?? '']] : [],
  )
  return { page: text(page), action: form?.action ?? '', body: new URLSearchParams(fields) }
}

async function press(
  shop: Service,
  { action, body }: { action: string; body: URLSearchParams },
): Promise<void> {
  const answer = await shop.get(action, { method: 'POST', body })
  expect(answer.status).toBe(303)
  expect(answer.headers.get('location')).toBe(sessionsOf(shop).at(-1)?.checkout_session_url)
}

describe('LINK_PROTECTION=confirm', () => {
  test('shows a page with one button for every GET, and the button sells what the link said', async () => {
    const shop = await startService({ env: { LINK_PROTECTION: 'confirm' } })
    for (const path of ['/buy/tee', '/buy/tee?quantity=2', '/buy/tee:2,mug:3', '/buy/~dGVl'])
      await openConfirm(shop, path)
    const question = await openConfirm(
      shop,
      '/buy/tee?quantity=2&email=jo%2Btee%40example.com&client_reference_id=r-1&metadata_note=a%20%3Cb%3E&utm_source=mail&fbclid=x',
    )
    expect(question.page).toContain('$50.00')
    expect(sessionsOf(shop)).toEqual([])
    await press(shop, question)
    expect(lastAsked(shop)).toMatchObject({
      line_items: [{ quantity: 2 }],
      customer_email: 'jo+tee@example.com',
      client_reference_id: 'r-1',
      metadata: { note: 'a <b>', utm_source: 'mail' },
    })
    expect(sessionsOf(shop)).toHaveLength(1)
  })

  test('still refuses what cannot be bought, without a confirm page', async () => {
    const shop = await startService({ env: { LINK_PROTECTION: 'confirm' } })
    for (const [path, status] of [
      ['/buy/nothing', 404],
      ['/buy/lamp', 410],
      ['/buy/mug:1', 400],
      ['/buy/tee:x', 400],
    ]) {
      expect(`${path} ${(await shop.get(String(path))).status}`).toBe(`${path} ${status}`)
    }
  })

  test('still refuses prefetches and subresources', async () => {
    const shop = await startService({ env: { LINK_PROTECTION: 'confirm' } })
    expect((await shop.get('/buy/tee', { headers: { purpose: 'prefetch' } })).status).toBe(503)
    expect((await shop.get('/buy/tee', { method: 'POST', headers: { purpose: 'prefetch' } })).status).toBe(
      503,
    )
    expect(shop.sandbox.requests).toEqual([])
  })
})

describe('a product that needs confirmation', () => {
  test('shows the page, and so does a cart with one such product; other links lead to the checkout at once', async () => {
    const shop = await startService({ products: CATALOG })
    await press(shop, await openConfirm(shop, '/buy/print'))
    const cart = await openConfirm(shop, '/buy/tee:1,print:2')
    expect(cart.page).toContain('$155.00')
    await press(shop, cart)
    expect(lastAsked(shop).line_items.map(({ quantity }) => quantity)).toEqual([1, 2])
    expect((await shop.get('/buy/tee')).status).toBe(302)
    expect((await shop.get('/buy/tee:1,mug:2')).status).toBe(303)
  })
})

describe('the preview of a link', () => {
  const bot = { headers: { 'user-agent': 'Twitterbot/1.0', 'accept-language': 'en-US' } }

  test('to a cart shows what is in it, with a form and without a link that could be followed', async () => {
    const shop = await startService()
    const answer = await shop.get('/buy/tee:2,mug:3', bot)
    expect(answer.status).toBe(200)
    expectBuyHeaders(answer)
    const tags = readTags(await answer.text())
    const meta = new Map(
      tags.map(({ attributes: { property, name, content } }) => [property ?? name, content] as const),
    )
    for (const name of ['og:title', 'twitter:title'])
      expect(meta.get(name)).toBe('2 × Black T-shirt, M, 3 × Mug')
    for (const name of ['og:description', 'twitter:description']) expect(meta.get(name)).toBe('$86.00')
    expect(tags.find(({ name }) => name === 'form')?.attributes).toEqual({
      method: 'post',
      action: '/buy/tee:2,mug:3',
    })
    expect(tags.some(({ attributes }) => attributes.href?.startsWith('/buy'))).toBe(false)
    expect(shop.sandbox.requests).toEqual([])
  })

  test('of something that cannot be bought has the same status as for everybody', async () => {
    const shop = await startService()
    expect((await shop.get('/buy/nothing', bot)).status).toBe(404)
    expect((await shop.get('/buy/lamp', bot)).status).toBe(410)
    expect((await shop.get('/buy/mug:1', bot)).status).toBe(400)
  })

  test('needs no response of Dots and works while Dots is down', async () => {
    const shop = await startService()
    await shop.sandbox.close()
    expect((await shop.get('/buy/tee', bot)).status).toBe(200)
  })
})
