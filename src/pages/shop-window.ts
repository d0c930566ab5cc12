import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { layout, pathTo } from './layout.ts'
import { formatCount, formatMoney } from './money.ts'
import type { ShownProduct } from './product.ts'
import { text } from './text.ts'

interface ShopWindow {
  products: readonly (ShownProduct & { isSoldOut?: boolean })[]
  /** What the buyer's link said, as a query for the links of the page. */
  query?: string
  /** Counted from 1. */
  page: number
  pages: number
  locale: string
  /** A fragment made with `html`, shown above the products. */
  notice?: string
}

// The pictures of the first row or two are visible at once; the others load when they are scrolled to.
const EAGER_PICTURES = 6

/** One page of the products on sale. Buy is a link, so that it can be copied, shared and opened in a tab. */
export function shopWindowPage(
  shop: Shop,
  { products, query, page, pages, locale, notice }: ShopWindow,
): string {
  const words = text.shopWindow
  const hasPictures = products.some(({ images }) => images?.length)
  const cards = products.map((product, index) =>
    productCard(product, hasPictures ? picture(product, index) : '', locale, query),
  )
  const body = html`!${notice}<h1>${words.title}</h1>
!${cards.length === 0 ? html`<p class="card lead">${words.empty}</p>` : html`<ul class="products" role="list">!${cards}</ul>`}
!${pages > 1 ? pagination(page, pages, locale, query) : ''}`
  return layout(shop, {
    title: page > 1 ? words.titleOfPage(formatCount(page, locale)) : words.title,
    body,
    head: previewTags(shop, page, products),
    index: true,
    wide: true,
    query,
  })
}

/** Open Graph tags (ogp.me): links to the shop itself are shared in chats, too. */
function previewTags(shop: Shop, page: number, products: ShopWindow['products']): string {
  const url = shop.publicUrl + pagePath(page)
  const image = products.find(({ images }) => images?.length)?.images?.[0]
  return html`<link rel="canonical" href="${url}">
<meta property="og:type" content="website">
<meta property="og:site_name" content="${shop.name}">
<meta property="og:title" content="${shop.name}">
<meta property="og:url" content="${url}">
!${image && html`<meta property="og:image" content="${image}">`}`
}

function productCard(
  product: ShopWindow['products'][number],
  image: string,
  locale: string,
  query?: string,
): string {
  const { name, token, description, amount, currency, isSoldOut } = product
  const words = text.shopWindow
  return html`<li class="product">
!${image}
<div class="details">
<h2><a href="${pathTo(`/products/${token}`, query)}"><span dir="auto">${name}</span></a></h2>
!${description && html`<p class="description" dir="auto">${description}</p>`}
<p class="offer"><bdi class="price">${formatMoney(amount, currency, locale)}</bdi>
!${isSoldOut ? html`<span class="sold-out">${words.soldOut}</span>` : html`<a class="button" href="${pathTo(`/buy/${token}`, query)}" rel="nofollow">${words.buy}<span class="visually-hidden"> ${name}</span></a>`}</p>
</div>
</li>`
}

function picture({ name, images }: ShownProduct, index: number): string {
  const src = images?.[0]
  if (src === undefined) {
    const [initial] = name
    return html`<span class="picture blank" aria-hidden="true">${initial}</span>`
  }
  const loading = index < EAGER_PICTURES ? 'eager' : 'lazy'
  return html`<img class="picture" src="${src}" alt="" width="400" height="300" loading="${loading}" decoding="async">`
}

function pagination(page: number, pages: number, locale: string, query?: string): string {
  const words = text.shopWindow
  return html`<nav class="pages" aria-label="${words.pages}">
!${page > 1 ? html`<a rel="prev" href="${pagePath(page - 1, query)}">${words.previous}</a>` : '<span></span>'}
<span>${words.pageOf(formatCount(page, locale), formatCount(pages, locale))}</span>
!${page < pages ? html`<a rel="next" href="${pagePath(page + 1, query)}">${words.next}</a>` : '<span></span>'}
</nav>`
}

function pagePath(page: number, query = ''): string {
  return pathTo('/', [page > 1 && `page=${page}`, query].filter(Boolean).join('&'))
}
