import { html } from 'ghtml'
import { layout } from './layout.ts'
import { absoluteWebUrl, webUrl } from './link.ts'
import { decimalAmount, formatCount, formatMoney } from './money.ts'
import type { Shop } from './shop.ts'
import { structuredData } from './structured-data.ts'

export interface ProductDetails {
  sku: string
  name: string
  description?: string
  images?: readonly string[]
  /** Cents. */
  amount: number
  currency: string
}

export interface ProductPage {
  product: ProductDetails
  /** How many one order may hold. */
  quantity: { minimum: number; maximum: number }
  /** Where the form is posted to. */
  buyAction: string
  /** The page's own address, for previews and search engines. */
  pageUrl: string
  locale: string
  /** A fragment made with `html`, to stand above the product. */
  notice?: string
  /** The merchant's message where the product cannot be bought now; it takes the form's place. */
  unavailable?: string
}

/** One product with its Buy form, and what link previews and search engines want to know of it. */
export function productPage(shop: Shop, page: ProductPage): string {
  const { product, locale, unavailable } = page
  const pictures = (product.images ?? []).flatMap((image) => webUrl(shop, image) ?? [])
  const body = html`!${page.notice}<article class="card detail" aria-labelledby="heading">
!${pictures.map((src, index) => html`<img class="picture" src="${src}" alt="${pictureText(product.name, index, pictures.length)}" width="640" height="480">`)}
<h1 id="heading" dir="auto">${product.name}</h1>
<p class="price"><bdi>${formatMoney(product.amount, product.currency, locale)}</bdi></p>
!${product.description === undefined ? '' : html`<p class="prose" dir="auto">${product.description}</p>`}
!${unavailable === undefined ? buyForm(shop, page) : html`<p class="assurance" dir="auto">${unavailable}</p>`}
</article>`
  return layout(shop, { title: product.name, body, head: previewTags(shop, page), index: true })
}

function pictureText(name: string, index: number, count: number): string {
  return count === 1 ? name : `${name}, picture ${index + 1} of ${count}`
}

function buyForm(shop: Shop, { quantity: { minimum, maximum }, buyAction, locale }: ProductPage): string {
  const action = webUrl(shop, buyAction)
  if (action === undefined) return ''
  const field =
    minimum === maximum
      ? html`<p>Quantity: ${formatCount(minimum, locale)}</p><input type="hidden" name="quantity" value="${minimum}">`
      : html`<p class="field"><label for="quantity">Quantity</label>
<input id="quantity" name="quantity" type="number" inputmode="numeric" min="${minimum}" max="${maximum}" step="1" value="${minimum}" required aria-describedby="limits">
<span id="limits" class="each">${formatCount(minimum, locale)} to ${formatCount(maximum, locale)}</span></p>`
  return html`<form method="post" action="${action}">
!${field}
<p class="actions"><button class="button" type="submit">Buy</button></p>
<p class="help">You pay on the next page.</p>
</form>`
}

/** Open Graph (ogp.me), Twitter card and schema.org tags. */
function previewTags(shop: Shop, { product, pageUrl, unavailable }: ProductPage): string {
  const url = absoluteWebUrl(shop, pageUrl)
  const images = (product.images ?? []).flatMap((image) => absoluteWebUrl(shop, image) ?? [])
  const currency = product.currency.toUpperCase()
  const price = decimalAmount(product.amount, currency)
  const properties: [string, string | undefined][] = [
    ['og:type', 'product'],
    ['og:site_name', shop.name],
    ['og:title', product.name],
    ['og:description', product.description],
    ['og:url', url],
    ...images.map((image): [string, string] => ['og:image', image]),
    ['product:price:amount', price],
    ['product:price:currency', currency],
  ]
  const names: [string, string | undefined][] = [
    ['description', product.description],
    ['twitter:card', images.length > 0 ? 'summary_large_image' : 'summary'],
    ['twitter:title', product.name],
    ['twitter:description', product.description],
    ['twitter:image', images[0]],
  ]
  return html`!${url === undefined ? '' : html`<link rel="canonical" href="${url}">`}
!${properties.map(([property, content]) => (content === undefined ? '' : html`<meta property="${property}" content="${content}">`))}
!${names.map(([name, content]) => (content === undefined ? '' : html`<meta name="${name}" content="${content}">`))}
!${structuredData({
    '@type': 'Product',
    sku: product.sku,
    name: product.name,
    description: product.description,
    image: images.length > 0 ? images : undefined,
    offers: {
      '@type': 'Offer',
      price,
      priceCurrency: currency,
      availability: `https://schema.org/${unavailable === undefined ? 'InStock' : 'OutOfStock'}`,
      url,
    },
  })}`
}
