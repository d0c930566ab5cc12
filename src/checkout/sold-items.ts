import type { Catalog } from '../catalog/catalog.ts'
import type { Cart } from '../links/cart.ts'
import type { SoldItem } from '../store/checkout.ts'

/**
 * What was sold, as far as it can still be told from skus, quantities and the total (cents) that was asked. One
 * product's price follows from the total; several products' prices are today's only where these come to that total.
 */
export function soldItems(catalog: Catalog, cart: Cart, amountTotal: number): SoldItem[] {
  const lines = cart.map(({ sku, quantity }) => ({ sku, quantity, product: catalog.find(sku) }))
  const today = lines.reduce(
    (sum, { product, quantity }) => sum + (product?.amount ?? Number.NaN) * quantity,
    0,
  )
  return lines.map(({ sku, quantity, product }) => {
    const single = lines.length === 1 && amountTotal % quantity === 0 ? amountTotal / quantity : null
    return {
      sku,
      name: product?.name ?? sku,
      quantity,
      amount: today === amountTotal && product !== undefined ? product.amount : single,
    }
  })
}
