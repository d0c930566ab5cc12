import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { layout, messageCard } from './layout.ts'
import { formatCount, formatMoney } from './money.ts'
import { type OrderSummary, orderSummary } from './order-summary.ts'
import { hiddenInputs } from './product.ts'
import { text } from './text.ts'

/** Where the button is sent that removes the saved cart of a browser. */
export const REMOVE_SAVED_CART_PATH = '/selection/remove'

/** A priced cart and the form that opens a checkout for it. */
export interface CartForm extends OrderSummary {
  /** The path that the form is posted to. */
  action: string
  hiddenFields: readonly (readonly [name: string, value: string])[]
}

/** Asks before a checkout is opened: nothing happens until the one button is pressed. */
export function confirmPage(shop: Shop, cart: CartForm): string {
  const { title, button } = text.confirm
  const body = messageCard({
    heading: title,
    content: html`!${orderSummary(cart)}
!${cartForm(cart, html`<button class="button" type="submit">${button}</button> <a class="quiet" href="/">${text.goToShop}</a>`)}
<p class="help">${text.payOnNextPage}</p>`,
  })
  return layout(shop, { title, body, head: previewTags(shop, cart) })
}

/**
 * A fragment for the shop's pages: the cart that this browser has saved, with a button to check out, if it can be bought,
 * and one to remove it. `path` is the page's own.
 */
export function savedCartNotice(cart: CartForm | undefined, path: string): string {
  const { title, button, remove, gone } = text.savedCart
  return html`<section class="card saved-cart" aria-labelledby="saved-cart">
<h2 id="saved-cart">${title}</h2>
!${
    cart === undefined
      ? html`<p>${gone}</p>`
      : html`!${orderSummary(cart)}
!${cartForm(cart, html`<button class="button" type="submit">${button}</button>`)}`
  }
<form method="post" action="${REMOVE_SAVED_CART_PATH}">!${hiddenInputs([['continue_to', path]])}
<p class="actions"><button class="quiet" type="submit">${remove}</button></p></form>
</section>`
}

export function cartForm({ action, hiddenFields }: CartForm, buttons: string): string {
  return html`<form method="post" action="${action}">
!${hiddenInputs(hiddenFields)}
<p class="actions">!${buttons}</p>
</form>`
}

/** Open Graph (ogp.me) and Twitter card tags, since links to carts are shared in chats, too. */
function previewTags(shop: Shop, { items, amountTotal, currency, locale }: CartForm): string {
  const title = items
    .map(({ name, quantity }) => (quantity === 1 ? name : `${formatCount(quantity, locale)} × ${name}`))
    .join(', ')
  const total = formatMoney(amountTotal, currency, locale)
  return html`<meta property="og:type" content="website">
<meta property="og:site_name" content="${shop.name}">
<meta property="og:title" content="${title}">
<meta property="og:description" content="${total}">
<meta name="twitter:card" content="summary">
<meta name="twitter:title" content="${title}">
<meta name="twitter:description" content="${total}">`
}
