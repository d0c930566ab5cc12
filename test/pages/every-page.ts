import { cancelPage } from '../../src/pages/cancel-page.ts'
import { confirmPage } from '../../src/pages/confirm-page.ts'
import { problemPage } from '../../src/pages/problem-page.ts'
import { productPage } from '../../src/pages/product-page.ts'
import type { Shop } from '../../src/pages/shop.ts'
import { shopWindowPage } from '../../src/pages/shop-window.ts'
import { confirmingPage, expiredPage, paidPage, stillOpenPage } from '../../src/pages/success-pages.ts'

export const SHOP: Shop = {
  name: 'Harbour Prints',
  supportEmail: 'hello@harbour.example',
  publicUrl: 'https://shop.example',
}

/** Every page there is, with `words` in each field that takes text and `url` in each that takes an address. */
export function everyPage(words: string, url: string): Record<string, string> {
  const shop: Shop = { ...SHOP, name: words, logoUrl: url }
  const lookAgain = { seconds: 5, url }
  const order = {
    items: [{ name: words, quantity: 2, amount: 2500 }],
    amountTotal: 5000,
    currency: words,
    locale: words,
    reference: words,
  }
  const product = { sku: words, name: words, description: words, amount: 2500, currency: words }
  return {
    window: shopWindowPage(shop, {
      products: [{ ...product, image: url, buyUrl: url, pageUrl: url }],
      page: 2,
      pages: 3,
      locale: words,
    }),
    problem: problemPage(shop, {
      title: words,
      message: words,
      status: 503,
      reference: words,
      tryAgainUrl: url,
      notCharged: true,
      retryAfterSeconds: 5,
    }),
    paid: paidPage(shop, { ...order, customMessage: words, continueUrl: url, email: `jane@${words}` }),
    stillOpen: stillOpenPage(shop, { ...order, checkoutUrl: url, lookAgain }),
    expired: expiredPage(shop, { ...order, buyAgainUrl: url }),
    confirming: confirmingPage(shop, { lookAgain, reference: words }),
    cancelOpen: cancelPage(shop, { ...order, state: 'open', checkoutUrl: url }),
    cancelEnded: cancelPage(shop, { ...order, state: 'ended', buyAgainUrl: url }),
    cancelPaid: cancelPage(shop, { ...order, state: 'paid', successUrl: url }),
    product: productPage(shop, {
      product: { ...product, images: [url] },
      quantity: { minimum: 1, maximum: 10 },
      buyAction: url,
      pageUrl: url,
      locale: words,
    }),
    unavailable: productPage(shop, {
      product,
      quantity: { minimum: 1, maximum: 10 },
      buyAction: url,
      pageUrl: url,
      locale: words,
      unavailable: words,
    }),
    confirm: confirmPage(shop, { ...order, action: url, hiddenFields: [[words, words]] }),
  }
}
