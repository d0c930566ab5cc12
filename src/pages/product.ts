import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { layout } from './layout.ts'
import { decimalAmount, formatCount, formatMoney } from './money.ts'
import { saleStart, text } from './text.ts'

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

export interface ProductOffer extends ShownProduct {
  /** How many units one order may hold. */
  quantity: { minimum: number; maximum: number }
  /** The merchant's message while the product is not on sale. */
  inactive_message?: string
  /** RFC 3339. */
  starts_at?: string
}

/** What the Buy form is filled with. */
export interface FormValues {
  /** The minimum where it is absent. */
  quantity?: number
  hiddenFields?: readonly (readonly [name: string, value: string])[]
}

interface ProductPageOptions {
  locale: string
  /** Why the product cannot be bought now; the page then has a message instead of the form. */
  unavailable?: 'inactive' | 'not-yet' | 'ended' | 'sold-out'
  /** A fragment made with `html`, shown above the product. */
  notice?: string
  /** What the buyer's link said: in the form, and as a query for the links of the page. */
  form?: FormValues
  query?: string
}

/** One product with its Buy form, and the tags that link previews and search engines read. */
export function productPage(
  shop: Shop,
  product: ProductOffer,
  { locale, unavailable, notice, form, query }: ProductPageOptions,
): string {
  const { name, description, images = [], amount, currency } = product
  const alt = (index: number) =>
    images.length === 1 ? name : text.product.pictureOf(name, index + 1, images.length)
  const body = html`!${notice}<article class="card detail" aria-labelledby="heading">
!${images.map((src, index) => html`<img class="picture" src="${src}" alt="${alt(index)}" width="640" height="480">`)}
<h1 id="heading" dir="auto">${name}</h1>
<p class="price"><bdi>${formatMoney(amount, currency, locale)}</bdi></p>
!${description && html`<p class="prose" dir="auto">${description}</p>`}
!${unavailable ? html`<p class="assurance" dir="auto">${whyUnavailable(product, unavailable)}</p>` : buyForm(product, locale, form)}
</article>`
  const head = previewTags(shop, product, unavailable === undefined)
  return layout(shop, { title: name, body, head, index: true, query })
}

function whyUnavailable(
  { inactive_message: ownWords, starts_at: startsAt }: ProductOffer,
  reason: NonNullable<ProductPageOptions['unavailable']>,
): string {
  const words = text.product.unavailable
  if (reason === 'not-yet') {
    const start = startsAt === undefined ? words[reason] : words.startsOn(saleStart(startsAt))
    return [start, ownWords].filter(Boolean).join(' ')
  }
  return reason === 'sold-out'
    ? [words[reason], ownWords].filter(Boolean).join(' ')
    : (ownWords ?? words[reason])
}

/** The form that opens a checkout for one product. */
export function buyForm(
  { token, quantity: { minimum, maximum } }: ProductOffer,
  locale: string,
  { quantity = minimum, hiddenFields = [] }: FormValues = {},
): string {
  const words = text.product
  const least = formatCount(minimum, locale)
  const field =
    minimum === maximum
      ? html`<p>${words.fixedQuantity(least)}</p><input type="hidden" name="quantity" value="${minimum}">`
      : html`<p class="field"><label for="quantity">${words.quantity}</label>
<input id="quantity" name="quantity" type="number" inputmode="numeric" min="${minimum}" max="${maximum}" step="1" value="${quantity}" required aria-describedby="limits">
<span id="limits" class="each">${words.limits(least, formatCount(maximum, locale))}</span></p>`
  return html`<form method="post" action="/buy/${token}">
!${field}!${hiddenInputs(hiddenFields)}
<p class="actions"><button class="button" type="submit">${words.buy}</button></p>
<p class="help">${text.payOnNextPage}</p>
</form>`
}

export function hiddenInputs(fields: NonNullable<FormValues['hiddenFields']>): string[] {
  return fields.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
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
