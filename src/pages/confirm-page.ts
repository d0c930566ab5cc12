import { html } from 'ghtml'
import { layout } from './layout.ts'
import { webUrl } from './link.ts'
import { messageCard } from './message-card.ts'
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
  return layout(shop, { title, body })
}
