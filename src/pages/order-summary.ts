import { html } from 'ghtml'
import { formatCount, formatMoney } from './money.ts'
import { text } from './text.ts'

/** An order as a page shows it. Amounts are cents. */
export interface OrderSummary {
  /** `amount` is for one unit; null where it is no longer known. */
  items: readonly { name: string; quantity: number; amount: number | null }[]
  amountTotal: number
  /** Shown where it is not the total that was asked. */
  amountPaid?: number | null
  currency: string
  locale: string
}

/** The order as a table with its total; empty for an order without items. */
export function orderSummary({
  items,
  amountTotal,
  amountPaid = null,
  currency,
  locale,
}: OrderSummary): string {
  if (items.length === 0) return ''
  const money = (cents: number) => formatMoney(cents, currency, locale)
  const rows = items.map(({ name, quantity, amount }) => {
    const count = formatCount(quantity, locale)
    const each = amount === null ? count : `${count} × ${money(amount)}`
    return html`<tr><th scope="row"><span dir="auto">${name}</span>!${
      quantity === 1 ? '' : html`<span class="each">${text.order.quantity} <bdi>${each}</bdi></span>`
    }</th><td><bdi>${amount === null ? '' : money(amount * quantity)}</bdi></td></tr>`
  })
  return html`<table class="order" aria-label="${text.order.label}">
<tbody>!${rows}</tbody>
<tfoot><tr><th scope="row">${text.order.total}</th><td><bdi>${money(amountTotal)}</bdi></td></tr>!${
    amountPaid === null || amountPaid === amountTotal
      ? ''
      : html`<tr><th scope="row">${text.order.paid}</th><td><bdi>${money(amountPaid)}</bdi></td></tr>`
  }</tfoot>
</table>`
}
