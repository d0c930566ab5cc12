import type { Catalog } from '../catalog/catalog.ts'
import { AppError } from '../errors.ts'
import { selectionNotice } from '../pages/selection-notice.ts'
import type { Shop } from '../pages/shop.ts'
import type { Selection } from '../store/store.ts'
import { readClick } from './click.ts'
import { priceCart } from './priced-cart.ts'

export interface KeptSelectionOptions {
  catalog: Catalog
  secrets: readonly string[]
  now: Date
  locale: string
}

/** The kept selection as a fragment for a page; empty where it cannot be bought any more. */
export function keptSelection(
  shop: Shop,
  { items, fields }: Selection,
  { catalog, secrets, now, locale }: KeptSelectionOptions,
): string {
  const body = new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])).toString()
  try {
    const click = readClick({ segment: items, query: '', body }, { catalog, secrets, now })
    const { lines, amountTotal, currency } = priceCart(catalog, click.cart, now, click.terms.amount)
    return selectionNotice(shop, {
      items: lines.map(({ product, quantity, amount }) => ({ name: product.name, quantity, amount })),
      amountTotal,
      currency,
      locale,
      action: `/buy/${items}`,
      hiddenFields: fields,
    })
  } catch (error) {
    if (error instanceof AppError) return ''
    throw error
  }
}
