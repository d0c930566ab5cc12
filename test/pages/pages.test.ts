import { describe, expect, test } from 'vitest'
import { type CheckoutStatusPage, checkoutStatusPage } from '../../src/pages/checkout-status.ts'
import { confirmPage } from '../../src/pages/confirm.ts'
import { layout } from '../../src/pages/layout.ts'
import { problemPage } from '../../src/pages/problem.ts'
import { productPage } from '../../src/pages/product.ts'
import { shopWindowPage } from '../../src/pages/shop-window.ts'
import { waitingTime } from '../../src/pages/text.ts'
import { everyPage, SHOP } from './every-page.ts'
import { readTags, text, urlsIn } from './markup.ts'

const NOT_CHARGED = 'You have not been charged.'
const ORDER = {
  items: [{ name: 'Black T-shirt, M', quantity: 2, amount: 2500 }],
  amountTotal: 5000,
  currency: 'usd',
  locale: 'en-US',
}
const PROBLEM = {
  locale: 'en-US',
  title: 'Not now',
  message: 'Please try later.',
  status: 503,
  requestId: 'req-1',
}
const PAGES = Object.entries(everyPage('words', 'https://shop.example/a'))

function refreshOf(page: string): string | undefined {
  return readTags(page).find(({ attributes }) => attributes['http-equiv'] === 'refresh')?.attributes.content
}

describe('every page', () => {
  test.each(PAGES)('%s has one h1, the landmarks, a language and a viewport', (_name, page) => {
    const names = readTags(page).map(({ name }) => name)
    for (const once of ['h1', 'header', 'main', 'footer', 'title']) {
      expect(
        names.filter((name) => name === once),
        once,
      ).toHaveLength(1)
    }
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(page).toContain('name="viewport"')
  })

  test.each(PAGES)(
    '%s has each id once, and every label and description finds its element',
    (_name, page) => {
      const tags = readTags(page)
      const ids = tags.flatMap(({ attributes }) => attributes.id ?? [])
      expect(new Set(ids).size).toBe(ids.length)
      for (const { attributes } of tags) {
        for (const key of ['for', 'aria-labelledby', 'aria-describedby']) {
          const target = attributes[key]
          if (target !== undefined) expect(ids).toContain(target)
        }
      }
    },
  )

  test.each(PAGES)('%s says that a payment is complete only if it is the paid page', (name, page) => {
    expect(/payment is complete|payment complete|thank you/i.test(text(page))).toBe(name === 'complete')
  })

  test('only the shop window and product pages may be listed by search engines', () => {
    const listed = PAGES.filter(([, page]) => !page.includes('content="noindex"')).map(([name]) => name)
    expect(listed).toEqual(['window', 'product', 'unavailable'])
  })

  test('a refresh waits for whole seconds, at least one', () => {
    const page = (seconds: number) =>
      layout(SHOP, { title: 'x', body: '<h1>x</h1>', refresh: { seconds, url: '/a?b=c' } })
    expect(refreshOf(page(2.5))).toBe('3; url=/a?b=c')
    expect(refreshOf(page(0))).toBe('1; url=/a?b=c')
  })
})

describe('header and footer', () => {
  const page = (shop: Partial<typeof SHOP>) =>
    layout({ ...SHOP, ...shop }, { title: 'x', body: '<h1>x</h1>' })

  test('show the name of the shop, or its logo, whose text is the name', () => {
    expect(text(page({}))).toMatch(/Harbour Prints/)
    const withLogo = page({ logoUrl: 'https://shop.example/logo.svg' })
    const body = withLogo.slice(withLogo.indexOf('<body'))
    expect(text(body)).not.toContain('Harbour Prints')
    const [logo] = readTags(body).filter(({ name }) => name === 'img')
    expect(logo?.attributes).toMatchObject({ src: 'https://shop.example/logo.svg', alt: 'Harbour Prints' })
    expect(withLogo).toContain('<link rel="icon" href="https://shop.example/logo.svg">')
  })

  test('have the legal links in their order, on every page', () => {
    const legalLinks = [
      { label: 'Terms', url: 'https://shop.example/terms?a=1' },
      { label: 'Privacy <&', url: 'https://shop.example/privacy' },
    ]
    const footer = page({ legalLinks }).split('<footer')[1] ?? ''
    expect(urlsIn(footer).slice(0, 2)).toEqual(legalLinks.map(({ url }) => url))
    expect(text(footer)).toContain('Privacy <&')
    for (const [name, document] of PAGES)
      expect([name, urlsIn(document)]).toEqual([name, expect.arrayContaining(['https://shop.example/a'])])
  })
})

describe('the problem page', () => {
  test('it says that nothing was charged only where that is certain', () => {
    expect(text(problemPage(SHOP, { ...PROBLEM, notCharged: true }))).toContain(NOT_CHARGED)
    expect(text(problemPage(SHOP, { ...PROBLEM, notCharged: false }))).not.toContain('charged')
    expect(text(problemPage(SHOP, PROBLEM))).not.toContain('charged')
  })

  test('it has a try-again link, the contact and the reference, and never refreshes', () => {
    const page = problemPage(SHOP, { ...PROBLEM, tryAgainUrl: '/buy/a?quantity=2', retryAfterSeconds: 5 })
    expect(urlsIn(page)).toContain('/buy/a?quantity=2')
    expect(urlsIn(page)).toContain('mailto:hello@harbour.example?subject=Reference%20req-1')
    expect(text(page)).toContain('Please wait 5 seconds before you try again.')
    expect(text(page)).toContain('Reference req-1')
    expect(refreshOf(page)).toBeUndefined()
  })

  test('without a try-again URL there is no such link', () => {
    expect(text(problemPage(SHOP, PROBLEM))).not.toContain('Try again')
  })
})

/** The page of a checkout that the buyer comes back from; `given` is all that it may use. */
function statusPage(status: CheckoutStatusPage['status'], cancelled: boolean, given = {}): string {
  return checkoutStatusPage(SHOP, {
    status,
    cancelled,
    order: ORDER,
    orderReference: 'order-1',
    checkoutUrl: 'https://pay.example/x',
    buyAgainUrl: '/buy/a',
    successUrl: '/success?checkout=abc',
    refresh: { seconds: 5, url: '/success?checkout=abc&look=1' },
    ...given,
  })
}

/** The URLs of the page's actions, without the shop's own links. */
function stepsOf(page: string): string[] {
  const links = readTags(page).filter(({ attributes }) => attributes.rel === 'nofollow')
  return links.map(({ attributes }) => attributes.href ?? '')
}

describe('the page of a checkout that the buyer comes back from', () => {
  const AGAIN = '/success?checkout=abc&look=1'
  test.each([
    ['complete', false, 'Thank you. Your payment is complete.', [], undefined],
    ['open', false, 'Your payment is not finished yet', ['https://pay.example/x', AGAIN], `5; url=${AGAIN}`],
    ['expired', false, 'This checkout has expired', ['/buy/a'], undefined],
    ['unknown', false, 'We are confirming your payment', [AGAIN], `5; url=${AGAIN}`],
    ['complete', true, 'This order is already paid', ['/success?checkout=abc'], undefined],
    ['open', true, 'You left the checkout', ['https://pay.example/x'], undefined],
    ['expired', true, 'This checkout has ended', ['/buy/a'], undefined],
    ['unknown', true, 'You left the checkout', ['https://pay.example/x'], undefined],
  ] as const)(
    '%s, cancelled %s: heading, next steps and refresh',
    (status, cancelled, heading, steps, refresh) => {
      const page = statusPage(status, cancelled)
      expect(/<h1 id="heading">(.*?)<\/h1>/.exec(page)?.[1]).toBe(heading)
      expect(stepsOf(page)).toEqual(steps)
      expect(refreshOf(page)).toBe(refresh)
      expect(text(page)).toContain('Order reference order-1')
      // Only a cancelled checkout that Dots calls open or expired has certainly cost nothing.
      expect(text(page).includes(NOT_CHARGED)).toBe(cancelled && (status === 'open' || status === 'expired'))
      if (status === 'unknown') expect(text(page)).not.toContain('charged')
    },
  )

  test('a checkout that may be over leads to a new one while Dots cannot be asked', () => {
    expect(stepsOf(statusPage('unknown', true, { checkoutUrl: undefined }))).toEqual(['/buy/a'])
  })

  test('without the order the page shows the reference of the request', () => {
    const page = statusPage('unknown', false, {
      order: undefined,
      orderReference: undefined,
      requestId: 'req-1',
    })
    expect(text(page)).toContain('Reference req-1')
    expect(text(page)).not.toContain('Order reference')
  })

  test('a paid order and its total are shown in the buyer’s locale', () => {
    const words = text(statusPage('complete', false, { order: { ...ORDER, locale: 'de-DE' } }))
    expect(words).toContain('2 × 25,00 $')
    expect(words).toContain('Total 50,00 $')
  })

  test('a paid order redirects to the merchant’s page after the seconds that it names', () => {
    const page = statusPage('complete', false, { continueUrl: 'https://shop.example/thanks?a=1&b=2' })
    expect(refreshOf(page)).toBe('10; url=https://shop.example/thanks?a=1&b=2')
    expect(text(page)).toContain('in 10 seconds')
    expect(stepsOf(page)).toEqual(['https://shop.example/thanks?a=1&b=2'])
  })

  test('the merchant’s message and page after the payment are shown only on the paid page', () => {
    const given = { continueUrl: 'https://shop.example/thanks', customMessage: 'See you soon.' }
    expect(text(statusPage('complete', false, given))).toContain('See you soon.')
    for (const status of ['open', 'expired', 'unknown'] as const) {
      const page = statusPage(status, false, given)
      expect(page).not.toContain('thanks')
      expect(text(page)).not.toContain('See you soon.')
    }
  })

  test.each([
    ['jane@example.com', 'j•••@example.com'],
    ['j@example.com', ' •••@example.com'],
    ['😀@example.com', ' •••@example.com'],
  ])('the buyer’s email %s is never shown in full', (email, shown) => {
    const page = statusPage('complete', false, { email })
    expect(page).not.toContain(email)
    expect(text(page)).toContain(shown)
  })
})

describe('the shop window', () => {
  const product = { sku: 'a', token: 'a', name: 'Tee', amount: 2500, currency: 'usd' }

  test('Buy is a link that names its product and that crawlers are asked not to follow', () => {
    const page = shopWindowPage(SHOP, { products: [product], page: 1, pages: 1, locale: 'en-US' })
    const buy = readTags(page).find(({ attributes }) => attributes.href === '/buy/a')
    expect(buy?.attributes.rel).toBe('nofollow')
    expect(text(page)).toContain('Buy Tee')
    expect(page).not.toContain('<nav')
  })

  test('an empty shop says so', () => {
    const words = text(shopWindowPage(SHOP, { products: [], page: 1, pages: 0, locale: 'en-US' }))
    expect(words).toContain('No products are available right now.')
  })

  test.each([
    [1, ['/?page=2']],
    [2, ['/', '/?page=3']],
    [3, ['/?page=2']],
  ])('page %i of 3 links to the pages before and after it', (page, neighbours) => {
    const tags = readTags(shopWindowPage(SHOP, { products: [product], page, pages: 3, locale: 'en-US' }))
    const links = tags.filter(({ attributes }) => /^(prev|next)$/.test(attributes.rel ?? ''))
    expect(links.map(({ attributes }) => attributes.href)).toEqual(neighbours)
  })
})

describe('the product page', () => {
  const product = {
    sku: 'a/b',
    token: '~YS9i',
    name: 'Tee',
    amount: 2505,
    currency: 'usd',
    images: ['https://shop.example/t.jpg'],
    quantity: { minimum: 2, maximum: 10 },
    inactive_message: 'Back in spring.',
  }
  const options = { locale: 'en-US' }

  test('the quantity field has the limits of the product', () => {
    const tags = readTags(productPage(SHOP, product, options))
    const input = tags.find(({ attributes }) => attributes.type === 'number')
    expect(input?.attributes).toMatchObject({ name: 'quantity', min: '2', max: '10', value: '2' })
    expect(tags.find(({ name }) => name === 'form')?.attributes.action).toBe('/buy/~YS9i')
  })

  test('a fixed quantity has no field, and is sent with the form', () => {
    const tags = readTags(productPage(SHOP, { ...product, quantity: { minimum: 3, maximum: 3 } }, options))
    const input = tags.find(({ name }) => name === 'input')
    expect(input?.attributes).toEqual({ type: 'hidden', name: 'quantity', value: '3' })
  })

  test('previews and search engines get price, picture and URL', () => {
    const document = productPage(SHOP, product, options)
    expect(document).toContain('<meta property="og:url" content="https://shop.example/products/~YS9i">')
    expect(document).toContain('<meta property="product:price:amount" content="25.05">')
    const data: unknown = JSON.parse(/ld\+json">(.*?)<\/script>/.exec(document)?.[1] ?? '')
    expect(data).toMatchObject({
      '@type': 'Product',
      sku: 'a/b',
      image: ['https://shop.example/t.jpg'],
      offers: { price: '25.05', priceCurrency: 'USD', availability: 'https://schema.org/InStock' },
    })
  })

  test.each([
    ['inactive', product, 'Back in spring.'],
    ['inactive', { ...product, inactive_message: undefined }, 'This product is not for sale right now.'],
    ['ended', { ...product, inactive_message: undefined }, 'The sale of this product has ended.'],
    ['not-yet', product, 'The sale of this product has not started yet.'],
    [
      'not-yet',
      { ...product, starts_at: '2030-11-01T08:00:00+01:00' },
      'Its sale starts on November 1, 2030 at 8:00 AM UTC+01:00. Back in spring.',
    ],
    ['sold-out', product, 'This product is sold out. Back in spring.'],
  ] as const)('what is %s shows a message and no form', (unavailable, shown, message) => {
    const document = productPage(SHOP, shown, { ...options, unavailable })
    expect(document).not.toContain('<form')
    expect(text(document)).toContain(message)
    expect(document).toContain('https://schema.org/OutOfStock')
  })
})

test('the confirm page has one button, posts its fields in order and opens nothing by itself', () => {
  const hiddenFields = [
    ['quantity', '2'],
    ['buyer/email', 'a@b.example'],
  ] as const
  const page = confirmPage(SHOP, { ...ORDER, action: '/buy/a', hiddenFields })
  const tags = readTags(page)
  expect(tags.filter(({ name }) => name === 'button')).toHaveLength(1)
  expect(tags.find(({ name }) => name === 'form')?.attributes).toEqual({ method: 'post', action: '/buy/a' })
  const fields = tags
    .filter(({ name }) => name === 'input')
    .map(({ attributes }) => [attributes.name, attributes.value])
  expect(fields).toEqual(hiddenFields)
  expect(refreshOf(page)).toBeUndefined()
})

test.each([
  [0, '1 second'],
  [1, '1 second'],
  [4.2, '5 seconds'],
  [119, '119 seconds'],
  [121, '3 minutes'],
])('%d seconds are written as %s', (seconds, words) => {
  expect(waitingTime(seconds)).toBe(words)
})
