import { AppError } from '../errors.ts'
import type { Availability, Product } from './product.ts'

/** 410: the product is there, and cannot be bought now. The merchant's own message is added where there is one. */
export function notForSale(
  { sku, name, inactive_message: note }: Product,
  state: Exclude<Availability['state'], 'available'> | 'sold-out',
): AppError {
  return new AppError(`product-${state}`, { params: { name, note }, details: { sku } })
}
