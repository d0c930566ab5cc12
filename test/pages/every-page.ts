import type { Shop } from '../../src/config.ts'
import { checkoutStatusPage } from '../../src/pages/checkout-status.ts'
import { confirmPage, savedCartNotice } from '../../src/pages/confirm.ts'
import { problemPage } from '../../src/pages/problem.ts'
import { productPage } from '../../src/pages/product.ts'
import { shopWindowPage } from '../../src/pages/shop-window.ts'

export const SHOP: Shop = {
  name: 'Harbour Prints',
  supportEmail: 'hello@harbour.example',
  publicUrl: 'https://shop.example',
}

/** Every page, with `words` in each field that takes text and `url` in each that takes a URL. */
export function everyPage(words: string, url: string): Record<string, string> {
  const shop: Shop = { ...SHOP, name: words, logoUrl: url, legalLinks: [{ label: words, url }] }
  const locale = words
  const order = {
    items: [{ name: words, quantity: 2, amount: 2500 }],
    amountTotal: 5000,
    currency: words,
    locale,
  }
  const cart = { ...order, action: url, hiddenFields: [[words, words]] as const }
  const product = {
    sku: words,
    token: 'a',
    name: words,
    description: words,
    images: [url],
    amount: 2500,
    currency: words,
    quantity: { minimum: 1, maximum: 10 },
    inactive_message: words,
  }
  const returned = {
    order,
    orderReference: words,
    checkoutUrl: url,
    buyAgainUrl: url,
    successUrl: url,
    refresh: { seconds: 5, url },
    customMessage: words,
    continueUrl: url,
    email: `jane@${words}`,
  }
  const statusPages = (['complete', 'open', 'expired', 'unknown'] as const).flatMap((status) => [
    [status, checkoutStatusPage(shop, { ...returned, status, cancelled: false })],
    [`cancelled ${status}`, checkoutStatusPage(shop, { ...returned, status, cancelled: true })],
  ])
  return {
    ...Object.fromEntries(statusPages),
    window: shopWindowPage(shop, {
      products: [product],
      page: 2,
      pages: 3,
      locale,
      notice: savedCartNotice(cart, '/?a=b'),
    }),
    problem: problemPage(shop, {
      title: words,
      message: words,
      status: 503,
      requestId: words,
      tryAgainUrl: url,
      notCharged: true,
      retryAfterSeconds: 5,
      locale,
    }),
    refusedLink: problemPage(shop, {
      title: words,
      message: words,
      status: 400,
      requestId: words,
      locale,
      nextSteps: {
        query: 'utm_source=a%20b',
        offer: { product, form: { quantity: 3, hiddenFields: [[words, words]] } },
        cart,
        named: [{ name: words, url }],
        similar: [product],
      },
    }),
    product: productPage(shop, product, { locale, notice: savedCartNotice(cart, '/?a=b') }),
    unavailable: productPage(shop, product, { locale, unavailable: 'inactive' }),
    confirm: confirmPage(shop, cart),
  }
}
