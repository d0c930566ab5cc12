import { html } from 'ghtml'
import { layout } from './layout.ts'
import { absoluteWebUrl, webUrl } from './link.ts'
import { formatCount, formatMoney } from './money.ts'
import type { Shop } from './shop.ts'

export interface WindowProduct {
  sku: string
  name: string
  description?: string
  image?: string
  /** Cents. */
  amount: number
  currency: string
  buyUrl: string
  /** The product's own page; its name then leads there. */
  pageUrl?: string
}

export interface ShopWindow {
  products: readonly WindowProduct[]
  /** Counted from 1. */
  page: number
  pages: number
  locale: string
  /** A fragment made with `html`, to stand above the products. */
  notice?: string
}

// The pictures of the first row or two are seen at once; the others may wait until they are scrolled to.
const EAGER_PICTURES = 6

/** All that is for sale, a page at a time. Buy is a link, so that it can be copied, shared and opened in a tab. */
export function shopWindowPage(shop: Shop, { products, page, pages, locale, notice }: ShopWindow): string {
  const title = page > 1 ? `Products, page ${formatCount(page, locale)}` : 'Products'
  const withPictures = products.some(({ image }) => webUrl(shop, image) !== undefined)
  const cards = products.map((product, index) => productCard(shop, product, { locale, withPictures, index }))
  const body = html`!${notice}<h1>Products</h1>
!${
    cards.length === 0
      ? '<p class="card lead">There is nothing on the shelf right now. Please come back soon.</p>'
      : html`<ul class="shelf" role="list">!${cards}</ul>`
  }
!${pagination(page, pages, locale)}`
  const canonical = absoluteWebUrl(shop, pagePath(page))
  const head = canonical === undefined ? '' : html`<link rel="canonical" href="${canonical}">`
  return layout(shop, { title, body, head, index: true, wide: true })
}

interface Placement {
  locale: string
  withPictures: boolean
  index: number
}

function productCard(shop: Shop, product: WindowProduct, { locale, withPictures, index }: Placement): string {
  const buy = webUrl(shop, product.buyUrl)
  const own = webUrl(shop, product.pageUrl)
  const name = html`<span dir="auto">${product.name}</span>`
  return html`<li class="product">
!${withPictures ? picture(shop, product, index) : ''}
<div class="facts">
<h2>!${own === undefined ? name : html`<a href="${own}">!${name}</a>`}</h2>
!${product.description === undefined ? '' : html`<p class="description" dir="auto">${product.description}</p>`}
<p class="offer"><bdi class="price">${formatMoney(product.amount, product.currency, locale)}</bdi>
!${buy === undefined ? '' : html`<a class="button" href="${buy}" rel="nofollow">Buy<span class="unseen"> ${product.name}</span></a>`}</p>
</div>
</li>`
}

function picture(shop: Shop, { name, image }: WindowProduct, index: number): string {
  const src = webUrl(shop, image)
  if (src === undefined) {
    const [initial = ''] = name
    return html`<span class="picture blank" aria-hidden="true">${initial}</span>`
  }
  const loading = index < EAGER_PICTURES ? 'eager' : 'lazy'
  return html`<img class="picture" src="${src}" alt="" width="400" height="300" loading="${loading}" decoding="async">`
}

function pagination(page: number, pages: number, locale: string): string {
  if (pages <= 1) return ''
  return html`<nav class="pages" aria-label="Pages">
!${page > 1 ? html`<a rel="prev" href="${pagePath(page - 1)}">Previous</a>` : '<span></span>'}
<span>Page ${formatCount(page, locale)} of ${formatCount(pages, locale)}</span>
!${page < pages ? html`<a rel="next" href="${pagePath(page + 1)}">Next</a>` : '<span></span>'}
</nav>`
}

function pagePath(page: number): string {
  return page <= 1 ? '/' : `/?page=${page}`
}
