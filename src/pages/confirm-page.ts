import { html } from 'ghtml'
import { layout } from './layout.ts'
import { webUrl } from './link.ts'
import { messageCard } from './message-card.ts'
import { formatCount, formatMoney } from './money.ts'
import { type OrderSummary, orderSummary } from './order-summary.ts'
import type { Shop } from './shop.ts'

export interface ConfirmPage extends OrderSummary {
  amountTotal: number
  currency: string
  locale: string
  /** Where the form is posted to. */
  action: string
  /** Names and values that travel with the form, in order. */
  hiddenFields: readonly (readonly [name: string, value: string])[]
}

/** Asks before a checkout is opened: nothing happens until the one button is pressed. */
export function confirmPage(shop: Shop, confirm: ConfirmPage): string {
  const title = 'Is this your order?'
  const action = webUrl(shop, confirm.action)
  const fields = confirm.hiddenFields.map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  const body = messageCard({
    heading: title,
    content: html`!${orderSummary(confirm)}
!${
      action === undefined
        ? ''
        : html`<form method="post" action="${action}">
!${fields}
<p class="actions"><button class="button" type="submit">Continue to the checkout</button>
<a class="quiet" href="/">Go to the shop</a></p>
</form>`
    }
<p class="help">You pay on the next page, not on this one.</p>`,
  })
  return layout(shop, { title, body, head: previewTags(shop, confirm) })
}

/** Open Graph (ogp.me) and Twitter card tags: a link to a cart is shared in chats, too, and has no page of its own. */
function previewTags(shop: Shop, { items, amountTotal, currency, locale }: ConfirmPage): string {
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
