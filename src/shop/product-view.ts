import { availability, type Product, quantityLimits } from '../catalog/product.ts'
import { printItem } from '../links/cart.ts'
import { productPath } from '../links/product-path.ts'
import { productPage } from '../pages/product-page.ts'
import type { Shop } from '../pages/shop.ts'

export interface ProductView {
  now: Date
  locale: string
  /** For the caller to know: only the store counts sales. */
  soldOut?: boolean
  /** A fragment to stand above the product. */
  notice?: string
}

/** A product's page as it is now. */
export function productView(
  shop: Shop,
  product: Product,
  { now, locale, soldOut = false, notice }: ProductView,
): string {
  const standing = availability(product, now)
  const unavailable =
    standing.state !== 'available'
      ? (standing.message ?? 'This product is not for sale right now.')
      : soldOut
        ? 'This product is sold out.'
        : undefined
  return productPage(shop, {
    product,
    quantity: quantityLimits(product),
    buyAction: `/buy/${printItem(product.sku)}`,
    pageUrl: shop.publicUrl + productPath(product.sku),
    locale,
    ...(unavailable !== undefined && { unavailable }),
    ...(notice !== undefined && { notice }),
  })
}
