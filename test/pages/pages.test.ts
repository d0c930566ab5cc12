import { describe, expect, test } from 'vitest'
import { cancelPage } from '../../src/pages/cancel-page.ts'
import { confirmPage } from '../../src/pages/confirm-page.ts'
import { layout } from '../../src/pages/layout.ts'
import { problemPage } from '../../src/pages/problem-page.ts'
import { productPage } from '../../src/pages/product-page.ts'
import { shopWindowPage } from '../../src/pages/shop-window.ts'
import { expiredPage, maskedEmail, paidPage, stillOpenPage } from '../../src/pages/success-pages.ts'
import { waitingTime } from '../../src/pages/waiting-time.ts'
import { everyPage, SHOP } from './every-page.ts'
import { addresses, readTags, text } from './markup.ts'

const NOT_CHARGED = 'You have not been charged.'
const ORDER = {
  items: [{ name: 'Black T-shirt, M', quantity: 2, amount: 2500 }],
  amountTotal: 5000,
  currency: 'usd',
  locale: 'en-US',
  reference: 'req-1',
}
const PROBLEM = { title: 'Not now', message: 'Please try later.', status: 503, reference: 'req-1' }
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
    expect(/payment is complete|payment complete|thank you/i.test(text(page))).toBe(name === 'paid')
  })

  test('only the shop window and product pages may be listed by search engines', () => {
    const listed = PAGES.filter(([, page]) => !page.includes('content="noindex"')).map(([name]) => name)
    expect(listed).toEqual(['window', 'product', 'unavailable'])
  })

  test('a refresh without an address reloads, one with a refused address does nothing', () => {
    const parts = { title: 'x', body: '<h1>x</h1>' }
    expect(refreshOf(layout(SHOP, { ...parts, refresh: { seconds: 2.5 } }))).toBe('3')
    expect(refreshOf(layout(SHOP, { ...parts, refresh: { seconds: 0, url: '/a?b=c' } }))).toBe(
      '1; url=/a?b=c',
    )
    expect(
      refreshOf(layout(SHOP, { ...parts, refresh: { seconds: 5, url: 'javascript:x' } })),
    ).toBeUndefined()
    expect(refreshOf(layout(SHOP, { ...parts, refresh: { seconds: Number.NaN } }))).toBeUndefined()
  })
})

describe('the problem page', () => {
  test('it says that nothing was charged only when told so', () => {
    expect(text(problemPage(SHOP, { ...PROBLEM, notCharged: true }))).toContain(NOT_CHARGED)
    expect(text(problemPage(SHOP, { ...PROBLEM, notCharged: false }))).not.toContain('charged')
    expect(text(problemPage(SHOP, PROBLEM))).not.toContain('charged')
  })

  test('it offers another try, the shop, the contact and the reference number, and never reloads', () => {
    const page = problemPage(SHOP, { ...PROBLEM, tryAgainUrl: '/buy/a?quantity=2', retryAfterSeconds: 5 })
    expect(addresses(page)).toContain('/buy/a?quantity=2')
    expect(addresses(page)).toContain('mailto:hello@harbour.example?subject=Reference%20req-1')
    expect(text(page)).toContain('Please wait 5 seconds before you try again.')
    expect(text(page)).toContain('Reference number req-1')
    expect(refreshOf(page)).toBeUndefined()
  })

  test('without a try-again address there is no such link', () => {
    expect(text(problemPage(SHOP, PROBLEM))).not.toContain('Try again')
  })
})

describe('the success pages', () => {
  test('the paid page shows the order and its total in the buyer’s locale', () => {
    const words = text(paidPage(SHOP, { ...ORDER, locale: 'de-DE' }))
    expect(words).toContain('2 × 25,00 $')
    expect(words).toContain('Total 50,00 $')
  })

  test('the paid page goes on by itself after the seconds that it names', () => {
    const page = paidPage(SHOP, { ...ORDER, continueUrl: 'https://shop.example/thanks?a=1&b=2' })
    expect(refreshOf(page)).toBe('10; url=https://shop.example/thanks?a=1&b=2')
    expect(text(page)).toContain('in 10 seconds')
    expect(addresses(page).filter((address) => address.includes('thanks'))).toHaveLength(2)
    expect(refreshOf(paidPage(SHOP, ORDER))).toBeUndefined()
  })

  test('the buyer’s address is never shown in full', () => {
    expect(paidPage(SHOP, { ...ORDER, email: 'jane@example.com' })).not.toContain('jane')
    expect(maskedEmail('jane@example.com')).toBe('j•••@example.com')
    expect(maskedEmail('j@example.com')).toBe('•••@example.com')
    expect(maskedEmail('😀@example.com')).toBe('•••@example.com')
    expect(maskedEmail('nothing')).toBeUndefined()
    expect(maskedEmail('@example.com')).toBeUndefined()
  })

  test('the still-open page leads back to the checkout and looks again', () => {
    const lookAgain = { seconds: 5, url: '/success?checkout=abc' }
    const page = stillOpenPage(SHOP, { ...ORDER, checkoutUrl: 'https://pay.example/x', lookAgain })
    expect(addresses(page)).toContain('https://pay.example/x')
    expect(refreshOf(page)).toBe('5; url=/success?checkout=abc')
    expect(text(page)).not.toContain('charged')
  })

  test('the expired page can list an order of which only the names are known', () => {
    const { items, reference } = ORDER
    const words = text(expiredPage(SHOP, { items, reference, buyAgainUrl: '/buy/a' }))
    expect(words).toContain('Black T-shirt, M Quantity: 2')
    expect(words).not.toContain('Total')
  })
})

describe('the cancel page', () => {
  test('an open or ended checkout was not charged, unless Dots could not be asked', () => {
    const open = { ...ORDER, state: 'open', checkoutUrl: 'https://pay.example/x' } as const
    const ended = { ...ORDER, state: 'ended', buyAgainUrl: '/buy/a' } as const
    expect(text(cancelPage(SHOP, open))).toContain(NOT_CHARGED)
    expect(addresses(cancelPage(SHOP, open))).toContain('https://pay.example/x')
    expect(text(cancelPage(SHOP, ended))).toContain(NOT_CHARGED)
    expect(text(cancelPage(SHOP, { ...open, notCharged: false }))).not.toContain('charged')
  })

  test('a paid order is never said to be free of charge', () => {
    const paid = { ...ORDER, state: 'paid', successUrl: '/success?checkout=abc', notCharged: true } as const
    expect(text(cancelPage(SHOP, paid))).not.toContain('charged')
    expect(addresses(cancelPage(SHOP, paid))).toContain('/success?checkout=abc')
  })
})

describe('the shop window', () => {
  const product = { sku: 'a', name: 'Tee', amount: 2500, currency: 'usd', buyUrl: '/buy/a' }

  test('Buy is a link that names its product and asks crawlers to stay away', () => {
    const page = shopWindowPage(SHOP, { products: [product], page: 1, pages: 1, locale: 'en-US' })
    const buy = readTags(page).find(({ attributes }) => attributes.href === '/buy/a')
    expect(buy?.attributes.rel).toBe('nofollow')
    expect(text(page)).toContain('Buy Tee')
    expect(page).not.toContain('<nav')
  })

  test('an empty shop says so kindly', () => {
    const words = text(shopWindowPage(SHOP, { products: [], page: 1, pages: 0, locale: 'en-US' }))
    expect(words).toContain('nothing on the shelf right now')
  })

  test.each([
    [1, ['/?page=2']],
    [2, ['/', '/?page=3']],
    [3, ['/?page=2']],
  ])('page %i of 3 leads to its neighbours', (page, neighbours) => {
    const tags = readTags(shopWindowPage(SHOP, { products: [product], page, pages: 3, locale: 'en-US' }))
    const links = tags.filter(({ attributes }) => /^(prev|next)$/.test(attributes.rel ?? ''))
    expect(links.map(({ attributes }) => attributes.href)).toEqual(neighbours)
  })
})

describe('the product page', () => {
  const page = {
    product: { sku: 'a', name: 'Tee', amount: 2505, currency: 'usd', images: ['https://shop.example/t.jpg'] },
    quantity: { minimum: 2, maximum: 10 },
    buyAction: '/buy/a',
    pageUrl: '/products/a',
    locale: 'en-US',
  }

  test('the quantity is held to its limits', () => {
    const input = readTags(productPage(SHOP, page)).find(({ attributes }) => attributes.type === 'number')
    expect(input?.attributes).toMatchObject({ name: 'quantity', min: '2', max: '10', value: '2' })
  })

  test('a fixed quantity is not asked for but sent', () => {
    const tags = readTags(productPage(SHOP, { ...page, quantity: { minimum: 3, maximum: 3 } }))
    const input = tags.find(({ name }) => name === 'input')
    expect(input?.attributes).toEqual({ type: 'hidden', name: 'quantity', value: '3' })
  })

  test('previews and search engines learn price, picture and address', () => {
    const document = productPage(SHOP, page)
    expect(document).toContain('<meta property="og:url" content="https://shop.example/products/a">')
    expect(document).toContain('<meta property="product:price:amount" content="25.05">')
    const data: unknown = JSON.parse(/ld\+json">(.*?)<\/script>/.exec(document)?.[1] ?? '')
    expect(data).toMatchObject({
      '@type': 'Product',
      image: ['https://shop.example/t.jpg'],
      offers: { price: '25.05', priceCurrency: 'USD', availability: 'https://schema.org/InStock' },
    })
  })

  test('what cannot be bought shows the merchant’s message and no form', () => {
    const document = productPage(SHOP, { ...page, unavailable: 'Back in spring.' })
    expect(document).not.toContain('<form')
    expect(text(document)).toContain('Back in spring.')
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
])('%d seconds are called %s', (seconds, words) => {
  expect(waitingTime(seconds)).toBe(words)
})
