import { html } from 'ghtml'
import { webUrl } from './link.ts'
import { type OrderSummary, orderSummary } from './order-summary.ts'
import type { Shop } from './shop.ts'

export interface KeptSelection extends OrderSummary {
  /** Where the form is posted to. */
  action: string
  hiddenFields: readonly (readonly [name: string, value: string])[]
}

/** A fragment for the shop's pages: what this browser has put together, and the button that checks it out. */
export function selectionNotice(shop: Shop, kept: KeptSelection): string {
  const action = webUrl(shop, kept.action)
  if (action === undefined) return ''
  const fields = kept.hiddenFields.map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  return html`<section class="card selection" aria-labelledby="selection">
<h2 id="selection">Your selection</h2>
!${orderSummary(kept)}
<form method="post" action="${action}">
!${fields}
<p class="actions"><button class="button" type="submit">Check out</button></p>
</form>
</section>`
}
