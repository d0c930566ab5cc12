import type { Catalog } from '../catalog/catalog.ts'
import { availability, type Product, quantityLimits } from '../catalog/product.ts'
import { notForSale } from '../catalog/sale-errors.ts'
import { AppError } from '../errors.ts'
import type { Cart } from '../links/cart.ts'

/** A line of the cart with the product that the catalog has for it. */
export interface PricedLine {
  product: Product
  quantity: number
  /** Cents for one unit: the catalog's price, or a signed link's. */
  amount: number
}

/** The cart as the catalog prices it now. `amountTotal` in cents. */
export interface PricedCart {
  lines: readonly PricedLine[]
  amountTotal: number
  currency: string
}

/**
 * Looks every item up and checks that it may be sold in this quantity at this time. `linkAmount` is the price (cents for
 * one unit) that a signed link sets for its one product.
 *
 * @throws AppError unknown-sku, product-…, bad-quantity: the first thing that stands in the way.
 */
export function priceCart(catalog: Catalog, cart: Cart, now: Date, linkAmount?: number): PricedCart {
  const lines = cart.map(({ sku, quantity }) => {
    const product = catalog.find(sku)
    if (product === undefined) throw new AppError('unknown-sku')
    return { product, quantity, amount: linkAmount ?? product.amount }
  })
  for (const { product } of lines) {
    const { state } = availability(product, now)
    if (state !== 'available') throw notForSale(product, state)
  }
  for (const { product, quantity } of lines) {
    const { minimum, maximum } = quantityLimits(product)
    if (!Number.isSafeInteger(quantity) || quantity < minimum || quantity > maximum) {
      throw new AppError('bad-quantity', { params: { minimum, maximum, name: product.name } })
    }
  }
  const amountTotal = lines.reduce((sum, { amount, quantity }) => sum + amount * quantity, 0)
  if (!Number.isSafeInteger(amountTotal)) throw new AppError('bad-quantity')
  return { lines, amountTotal, currency: lines[0]?.product.currency ?? 'usd' }
}
