import { html } from 'ghtml'
import { DEFAULT_LOCALE, formatCount, formatMoney } from './money.ts'
import { text } from './text.ts'

export interface OrderItem {
  name: string
  quantity: number
  /** Cents, for one unit; null where it is no longer known. */
  amount: number | null
}

/** What a page knows of an order. Without a currency only names and quantities are shown. */
export interface OrderSummary {
  items: readonly OrderItem[]
  /** Cents. */
  amountTotal?: number
  currency?: string
  locale?: string
}

/** The order as a table with its total, in the buyer's way of writing numbers; nothing for an order of nothing. */
export function orderSummary({
  items,
  amountTotal,
  currency,
  locale = DEFAULT_LOCALE,
}: OrderSummary): string {
  if (items.length === 0) return ''
  const money = (cents: number) => (currency === undefined ? '' : formatMoney(cents, currency, locale))
  const rows = items.map(({ name, quantity, amount }) => {
    const count = formatCount(quantity, locale)
    const each = currency === undefined || amount === null ? count : `${count} × ${money(amount)}`
    return html`<tr><th scope="row"><span dir="auto">${name}</span>!${
      quantity === 1 ? '' : html`<span class="each">${text.order.quantity} <bdi>${each}</bdi></span>`
    }</th><td><bdi>${amount === null ? '' : money(amount * quantity)}</bdi></td></tr>`
  })
  return html`<table class="order" aria-label="${text.order.label}">
<tbody>!${rows}</tbody>
!${
    amountTotal === undefined || currency === undefined
      ? ''
      : html`<tfoot><tr><th scope="row">${text.order.total}</th><td><bdi>${money(amountTotal)}</bdi></td></tr></tfoot>`
  }
</table>`
}
