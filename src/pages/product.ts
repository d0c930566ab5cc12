import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { layout } from './layout.ts'
import { decimalAmount, formatCount, formatMoney } from './money.ts'
import { text } from './text.ts'

/** What the pages show of a product of the catalog. */
export interface ShownProduct {
  sku: string
  /** The sku as the last segment of a path: `/buy/TOKEN`, `/products/TOKEN`. */
  token: string
  name: string
  description?: string
  /** Safe URLs, the best picture first. */
  images?: readonly string[]
  /** Cents. */
  amount: number
  currency: string
}

interface ProductOffer extends ShownProduct {
  /** How many units one order may hold. */
  quantity: { minimum: number; maximum: number }
  /** The merchant's message while the product is not on sale. */
  inactive_message?: string
}

interface ProductPageOptions {
  locale: string
  /** Why the product cannot be bought now; the page then has a message instead of the form. */
  unavailable?: 'not-on-sale' | 'sold-out'
  /** A fragment made with `html`, shown above the product. */
  notice?: string
}

/** One product with its Buy form, and the tags that link previews and search engines read. */
export function productPage(
  shop: Shop,
  product: ProductOffer,
  { locale, unavailable, notice }: ProductPageOptions,
): string {
  const { name, description, images = [], amount, currency } = product
  const ownWords = unavailable === 'not-on-sale' ? product.inactive_message : undefined
  const alt = (index: number) =>
    images.length === 1 ? name : text.product.pictureOf(name, index + 1, images.length)
  const body = html`!${notice}<article class="card detail" aria-labelledby="heading">
!${images.map((src, index) => html`<img class="picture" src="${src}" alt="${alt(index)}" width="640" height="480">`)}
<h1 id="heading" dir="auto">${name}</h1>
<p class="price"><bdi>${formatMoney(amount, currency, locale)}</bdi></p>
!${description && html`<p class="prose" dir="auto">${description}</p>`}
!${unavailable ? html`<p class="assurance" dir="auto">${ownWords ?? text.product.unavailable[unavailable]}</p>` : buyForm(product, locale)}
</article>`
  const head = previewTags(shop, product, unavailable === undefined)
  return layout(shop, { title: name, body, head, index: true })
}

function buyForm({ token, quantity: { minimum, maximum } }: ProductOffer, locale: string): string {
  const words = text.product
  const least = formatCount(minimum, locale)
  const field =
    minimum === maximum
      ? html`<p>${words.fixedQuantity(least)}</p><input type="hidden" name="quantity" value="${minimum}">`
      : html`<p class="field"><label for="quantity">${words.quantity}</label>
<input id="quantity" name="quantity" type="number" inputmode="numeric" min="${minimum}" max="${maximum}" step="1" value="${minimum}" required aria-describedby="limits">
<span id="limits" class="each">${words.limits(least, formatCount(maximum, locale))}</span></p>`
  return html`<form method="post" action="/buy/${token}">
!${field}
<p class="actions"><button class="button" type="submit">${words.buy}</button></p>
<p class="help">${text.payOnNextPage}</p>
</form>`
}

/** Open Graph (ogp.me), Twitter card and schema.org tags. */
function previewTags(shop: Shop, product: ProductOffer, inStock: boolean): string {
  const { sku, token, name, description, images = [] } = product
  const url = `${shop.publicUrl}/products/${token}`
  const currency = product.currency.toUpperCase()
  const price = decimalAmount(product.amount, currency)
  const tags: [name: string, content: string | undefined][] = [
    ['og:type', 'product'],
    ['og:site_name', shop.name],
    ['og:title', name],
    ['og:description', description],
    ['og:url', url],
    ...images.map((image): [string, string] => ['og:image', image]),
    ['product:price:amount', price],
    ['product:price:currency', currency],
    ['description', description],
    ['twitter:card', images.length > 0 ? 'summary_large_image' : 'summary'],
    ['twitter:title', name],
    ['twitter:description', description],
    ['twitter:image', images[0]],
  ]
  return html`<link rel="canonical" href="${url}">
!${tags.map(([key, content]) => content && html`<meta ${/^(?:og|product):/.test(key) ? 'property' : 'name'}="${key}" content="${content}">`)}
!${structuredData({
    '@type': 'Product',
    sku,
    name,
    description,
    image: images.length > 0 ? images : undefined,
    offers: {
      '@type': 'Offer',
      price,
      priceCurrency: currency,
      availability: `https://schema.org/${inStock ? 'InStock' : 'OutOfStock'}`,
      url,
    },
  })}`
}

// Characters that could end the data block, or that old parsers take for line ends, are escaped.
function structuredData(data: Record<string, unknown>): string {
  const json = JSON.stringify({ '@context': 'https://schema.org', ...data }).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `<script type="application/ld+json">${json}</script>`
}
