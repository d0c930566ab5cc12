import { describe, expect, test } from 'vitest'
import { click, expectPage, lastAsked, sessionsOf, unescaped } from '../checkout/clicks.ts'
import { readTags, text as textOf } from '../pages/markup.ts'
import { startService } from '../service.ts'
import { SIGNING, signed } from '../signed-links/signed.ts'
import { formOf, submit } from './forms.ts'

// Pages that lead on: what the buyer wanted, and all that the link said, is one button away.

const NOW = new Date('2026-11-22T10:00:00Z')
const PRODUCTS = [
  { sku: 'tee', name: 'Tee', amount: 2500, adjustable_quantity: { minimum: 1, maximum: 10 } },
  { sku: 'mug', name: 'Mug', amount: 1200, adjustable_quantity: { minimum: 2, maximum: 6 } },
  { sku: 'tee-old', name: 'Old tee', amount: 100, active: false, inactive_message: 'Gone for good.' },
  { sku: 'early', name: 'Early', amount: 100, starts_at: '2027-01-31T09:00:00+01:00' },
  { sku: 'ended', name: 'Ended', amount: 100, ends_at: '2026-01-31T09:00:00Z' },
  { sku: 'print', name: 'Print', amount: 6500, restrictions: { completed_sessions: { limit: 1 } } },
]
const shopWith = (more: Parameters<typeof startService>[0] = {}) =>
  startService({ products: PRODUCTS, now: () => NOW, ...more })
const SAID = 'client_reference_id=order-1042&utm_source=news&email=jane%2Bx%40example.com&metadata_gift=yes'
const KEPT = {
  client_reference_id: 'order-1042',
  customer_email: 'jane+x@example.com',
  metadata: { utm_source: 'news', gift: 'yes' },
}

describe('a quantity that cannot be sold', () => {
  test.each([
    ['tee?quantity=30', 10],
    ['tee:30', 10],
    ['tee?quantity=0', 1],
    ['tee?quantity=-3', 1],
    ['tee?quantity=2.4', 2],
    ['tee?quantity=1e3', 10],
    ['tee?quantity=abc', 1],
    ['tee?quantity=2&qty=3', 1],
    ['tee:0', 1],
    ['tee:99999999999999999999', 10],
    ['mug?quantity=1', 2],
    ['mug:7', 6],
    ['tee:2,', 2],
  ])('/buy/%s gets the product with its limits, and the form at %i', async (link, nearest) => {
    const shop = await shopWith()
    const { text } = await expectPage(
      await shop.get(`/buy/${link}${link.includes('?') ? '&' : '?'}${SAID}`),
      400,
    )
    const isTee = link.startsWith('tee')
    expect(textOf(text)).toContain(isTee ? '1 to 10' : '2 to 6')
    expect(textOf(text)).toContain(isTee ? '$25.00' : '$12.00')
    expect(text).not.toContain('Error 400')
    expect(sessionsOf(shop)).toEqual([])
    await submit(shop, formOf(text))
    expect(lastAsked(shop)).toMatchObject({ ...KEPT, line_items: [{ quantity: nearest }] })
  })

  test('in a cart gets the cart with quantities that can be sold', async () => {
    const shop = await shopWith()
    const { text } = await expectPage(await shop.get(`/buy/tee:30,mug:1?${SAID}`), 400)
    await submit(shop, formOf(text))
    expect(lastAsked(shop)).toMatchObject({ ...KEPT, line_items: [{ quantity: 10 }, { quantity: 2 }] })
  })

  test('in a signed link leads to the product without its price, email or reference', async () => {
    const shop = await shopWith({ env: SIGNING })
    const link = signed(
      { amount: 1900 },
      { items: [{ sku: 'tee', quantity: 20 }], parameters: { email: 'a@b.example' } },
    )
    const { text } = await expectPage(await shop.get(`${link}&utm_source=news`), 400)
    expect(unescaped(text)).toContain('href="/products/tee?utm_source=news&quantity=20"')
    for (const secret of ['a@b.example', 'link_signature', '1900']) expect(text).not.toContain(secret)
  })
})

test.each([
  ['tee-old', 'Gone for good.'],
  ['early', 'Its sale starts on January 31, 2027 at 9:00 AM UTC+01:00.'],
  ['ended', 'Its sale has ended.'],
])('what is not on sale gets the product, the reason and ways on: %s', async (sku, reason) => {
  const shop = await shopWith()
  const { text } = await expectPage(await shop.get(`/buy/${sku}?${SAID}`), 410)
  expect(textOf(text)).toContain(reason)
  expect(text).not.toContain('Error 410')
  expect(text).toContain(`/products/${sku}?`)
  if (sku === 'tee-old') expect(unescaped(text)).toMatch(/href="\/products\/tee\?[^"]*utm_source=news/)
  expect(unescaped(text)).toMatch(/href="\/\?[^"]*utm_source=news/)
})

test('what is sold out says so, on its page, at its link and in the shop window', async () => {
  const shop = await shopWith()
  expect(await (await shop.get('/')).text()).toContain('href="/buy/print"')
  await click(shop, '/buy/print')
  const [session] = sessionsOf(shop)
  await shop.sandbox.pay(session?.id ?? '')
  await fetch(session?.success_url ?? '')
  const window = await (await shop.get('/')).text()
  expect(window).not.toContain('href="/buy/print"')
  expect(textOf(window)).toContain('Sold out')
  expect(window).toContain('href="/buy/tee"')
  expect(textOf((await expectPage(await shop.get('/buy/print'), 410)).text)).toContain('It is sold out.')
})

test.each([
  ['/buy/te', 'tee'],
  ['/buy/Tee', 'tee'],
  ['/products/muug', 'mug'],
  ['/buy/tee:1,mugg:2', 'mug'],
])('an unknown product leads to what is like it: %s', async (link, sku) => {
  const shop = await shopWith()
  const page = unescaped(await (await shop.get(`${link}?utm_source=news`)).text())
  expect(page).toMatch(new RegExp(`href="/products/${sku}\\?[^"]*utm_source=news`))
  expect(page).not.toContain('/products/tee-old')
})

describe('nothing that a link said is lost', () => {
  test('on the page of a product', async () => {
    const shop = await shopWith()
    const page = await (await shop.get(`/products/tee?${SAID}&ref=partner&quantity=3`)).text()
    await submit(shop, formOf(page))
    expect(lastAsked(shop)).toMatchObject({
      ...KEPT,
      line_items: [{ quantity: 3 }],
      metadata: { ref: 'partner' },
    })
    expect(page).toContain(`<link rel="canonical" href="${shop.url}/products/tee">`)
  })

  test('in the shop window, also on the way to a product, a page further and back', async () => {
    const shop = await shopWith()
    for (const path of ['/', '/products/mug']) {
      const page = await (await shop.get(`${path}?${SAID}`)).text()
      const links = readTags(page).flatMap(({ name, attributes }) =>
        name === 'a' ? [attributes.href ?? ''] : [],
      )
      const ours = links.filter((href) => /^\/(?:$|\?|buy|products)/.test(href))
      expect(ours.length).toBeGreaterThan(0)
      for (const href of ours) expect(href).toMatch(/client_reference_id=order-1042.*utm_source=news/)
      const buy = ours.find((href) => href.startsWith('/buy/tee'))
      if (path === '/') await click(shop, buy ?? '')
    }
    expect(lastAsked(shop)).toMatchObject(KEPT)
  })

  test('from /buy without items only the source of the click is forwarded', async () => {
    const shop = await shopWith()
    const answer = await shop.get(`/buy?${SAID}`)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/?utm_source=news'])
  })

  test('on the confirm page', async () => {
    const shop = await shopWith({ env: { LINK_PROTECTION: 'confirm' } })
    await submit(shop, formOf(await (await shop.get(`/buy/tee:3?${SAID}`)).text()))
    expect(lastAsked(shop)).toMatchObject({ ...KEPT, line_items: [{ quantity: 3 }] })
  })

  test('in a selection, while another page says something else', async () => {
    const shop = await shopWith()
    const saved = await shop.get(`/buy/tee:3?${SAID}&continue_to=/products/mug`)
    const cookie = saved.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    const page = await (await shop.get('/products/mug?utm_source=other', { headers: { cookie } })).text()
    await submit(shop, formOf(page), { cookie })
    expect(lastAsked(shop)).toMatchObject({ ...KEPT, line_items: [{ quantity: 3 }] })
  })

  test('after an end, for its own browser; anybody else gets the plain link', async () => {
    const shop = await shopWith({ env: SIGNING })
    const link = signed(
      { amount: 1900 },
      { items: [{ sku: 'tee', quantity: 2 }], parameters: { email: 'a@b.example' } },
    )
    for (const path of [`/buy/tee?${SAID}`, `${link}&utm_source=mail`]) {
      const opened = await shop.get(path)
      const cookie = opened.headers.getSetCookie()[0]?.split(';')[0] ?? ''
      const session = sessionsOf(shop).at(-1)
      await shop.sandbox.expire(session?.id ?? '')
      const { pathname, search } = new URL(session?.success_url ?? '')
      const back = async (headers: Record<string, string>) => {
        const tags = readTags(await (await shop.get(pathname + search, { headers })).text())
        return tags.find(({ attributes }) => attributes.href?.startsWith('/buy/'))?.attributes.href ?? ''
      }
      const plain = await back({})
      expect(plain).toBe(path.includes('signature') ? '/buy/tee:2' : '/buy/tee')
      const asked = lastAsked(shop)
      await click(shop, await back({ cookie }), { headers: { cookie } })
      const { metadata, line_items, customer_email, client_reference_id } = lastAsked(shop)
      expect({ line_items, customer_email, client_reference_id }).toEqual({
        line_items: asked.line_items,
        customer_email: asked.customer_email,
        client_reference_id: asked.client_reference_id,
      })
      expect(metadata?.utm_source).toBe(asked.metadata?.utm_source)
    }
  })
})

describe('too many attempts', () => {
  test('get a button that waits, to the same purchase', async () => {
    const shop = await shopWith({ env: { RATE_LIMIT_MAX: '1' } })
    await shop.get('/buy/mug')
    const page = await shop.get(`/buy/tee:3?${SAID}`)
    expect(page.status).toBe(429)
    const { text } = await expectPage(page, 429)
    const button = readTags(text).find(({ attributes }) => attributes.class?.includes('waiting'))?.attributes
    expect(button?.class).toMatch(/\bwait-\d+\b/)
    expect(button?.href).toBe(`/buy/tee:3?${SAID}`)
    const css =
      readTags(text).find(({ attributes }) => attributes.rel === 'stylesheet')?.attributes.href ?? ''
    const [name = ''] = /wait-\d+/.exec(button?.class ?? '') ?? []
    expect(await (await shop.get(css)).text()).toContain(`.${name} { animation-delay: ${name.slice(5)}s; }`)
    expect(Number(name.slice(5))).toBeGreaterThanOrEqual(Number(page.headers.get('retry-after')))
  })

  test('of a form, too, with all that it said', async () => {
    const shop = await shopWith({ env: { RATE_LIMIT_MAX: '1' } })
    await shop.get('/buy/mug')
    const body = new URLSearchParams({ quantity: '3', email: 'jane@example.com' })
    const { text } = await expectPage(
      await shop.get('/buy/tee?utm_source=news', { method: 'POST', body }),
      429,
    )
    const button = readTags(text).find(({ attributes }) => attributes.class?.includes('waiting'))?.attributes
    expect(button?.href).toBe('/buy/tee?utm_source=news&quantity=3&email=jane%40example.com')
  })
})

test.each(['?session_id=cs_9', '.', '&amp;x=1', '%20', '%22%3E', 'CAPITALS', 'twice'])(
  'the page after the payment is found with %s behind its id',
  async (tail) => {
    const shop = await shopWith()
    await click(shop, '/buy/tee')
    const success = sessionsOf(shop)[0]?.success_url ?? ''
    const id = new URL(success).searchParams.get('checkout') ?? ''
    const given =
      tail === 'twice' ? `${id}&checkout=${id}` : tail === 'CAPITALS' ? id.toUpperCase() : `${id}${tail}`
    for (const path of ['/success', '/cancel']) {
      expect(`${tail} ${(await shop.get(`${path}?checkout=${given}`)).status}`).toBe(`${tail} 200`)
    }
  },
)
