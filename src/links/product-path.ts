import { printItem } from './cart.ts'

/** Where the product's own page is. Throws AppError malformed-link where no path could name the sku. */
export function productPath(sku: string): string {
  return `/products/${printItem(sku)}`
}
