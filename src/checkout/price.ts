import type { Catalog } from '../catalog/catalog.ts'
import { availability, notForSale, type Product, quantityLimits, salesLimit } from '../catalog/product.ts'
import { AppError, type Log } from '../errors.ts'
import { malformedLink } from '../links/cart.ts'
import type { OrderSummary } from '../pages/order-summary.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import type { Link } from './link.ts'

/** A line of the cart with the product that the catalog has for it. */
export interface OrderLine {
  product: Product
  quantity: number
  /** Cents for one unit: the catalog's price, or a signed link's. */
  amount: number
}

/** A link with its products and current prices. */
export interface Order {
  link: Link
  lines: readonly OrderLine[]
  /** Cents. */
  amountTotal: number
  currency: string
}

/** What the pages show of an order, in the locale of the buyer. */
export function orderSummaryOf({ lines, amountTotal, currency }: Order, locale: string): OrderSummary {
  const items = lines.map(({ product, quantity, amount }) => ({ name: product.name, quantity, amount }))
  return { items, amountTotal, currency, locale }
}

/**
 * Looks every item up and checks that it may be sold in this quantity at this time.
 *
 * @throws AppError unknown-sku, product-…, bad-quantity, malformed-link (several currencies): the first that applies, in
 * this order.
 */
export function priceLink(catalog: Catalog, link: Link, now: Date): Order {
  const lines = link.cart.map(({ sku, quantity }) => {
    const product = catalog.find(sku)
    if (product === undefined) throw new AppError('unknown-sku')
    return { product, quantity, amount: link.terms.amount ?? product.amount }
  })
  let amountTotal = 0
  let badQuantity: AppError | undefined
  for (const { product, quantity, amount } of lines) {
    const state = availability(product, now)
    if (state !== 'available') throw notForSale(product, state)
    const { minimum, maximum } = quantityLimits(product)
    if (!Number.isSafeInteger(quantity) || quantity < minimum || quantity > maximum) {
      badQuantity ??= new AppError('bad-quantity', { params: { minimum, maximum, name: product.name } })
    }
    amountTotal += amount * quantity
  }
  if (badQuantity !== undefined) throw badQuantity
  const [currency, ...others] = new Set(lines.map(({ product }) => product.currency))
  if (currency === undefined || others.length > 0) throw malformedLink('products of several currencies')
  if (!Number.isSafeInteger(amountTotal)) throw new AppError('bad-quantity')
  return { link, lines, amountTotal, currency }
}

/** Whether what the order sells may be sold out, or its link used up. */
export function hasSalesLimits({ lines, link }: Order): boolean {
  return link.terms.uses !== undefined || lines.some(({ product }) => salesLimit(product) !== undefined)
}

/**
 * Refuses products that have reached their sales limit, and signed links that have reached their number of uses. Counts
 * completed sales, not clicks, since an open checkout may expire unpaid. If the store fails, the sale is allowed.
 *
 * @throws AppError product-sold-out, link-used-up
 */
export async function checkSalesLimits(
  { lines, link: { terms, linkId } }: Order,
  { checkouts }: Store,
  log: Log,
): Promise<void> {
  const isReached = async (limit: number, count: () => Promise<number>) => {
    const sales = await optional(log, 'sales-limit.skipped', count)
    return sales !== undefined && sales >= limit
  }
  for (const { product } of lines) {
    const limit = salesLimit(product)
    if (limit !== undefined && (await isReached(limit, () => checkouts.countSales(product.sku, limit)))) {
      throw notForSale(product, 'sold-out')
    }
  }
  const { uses } = terms
  if (
    uses !== undefined &&
    linkId !== undefined &&
    (await isReached(uses, () => checkouts.countLinkSales(linkId)))
  ) {
    throw new AppError('link-used-up')
  }
}
