import { AppError } from '../errors.ts'
import type { Product } from './product.ts'

/** 404: no product has this sku. */
export class UnknownSkuError extends AppError {
  constructor() {
    super(
      'unknown-sku',
      404,
      'This product is not here',
      'The link leads to a product that this shop does not have. It may have been mistyped, or the product is gone.',
    )
  }
}

const NOT_FOR_SALE = {
  inactive: 'It is not for sale at the moment.',
  'not-yet': 'Its sale has not started yet. Please come back later.',
  ended: 'Its sale has ended.',
  'sold-out': 'It is sold out.',
} as const

/** 410: the product is there, and cannot be bought now. The merchant's own message is added where there is one. */
export class NotForSaleError extends AppError {
  constructor(product: Product, state: keyof typeof NOT_FOR_SALE) {
    const message = [NOT_FOR_SALE[state], product.inactive_message].filter(Boolean).join(' ')
    super(`product-${state}`, 410, `${product.name} cannot be bought now`, message, {
      facts: { sku: product.sku },
    })
  }
}

/** 400: the quantity is not one that this product is sold in. */
export class QuantityError extends AppError {
  constructor(allowed?: { minimum: number; maximum: number; name: string }) {
    const message =
      allowed === undefined
        ? 'The link names a quantity that is not a whole number. Please ask for another link.'
        : allowed.minimum === allowed.maximum
          ? `${allowed.name} is sold in a quantity of ${allowed.minimum}.`
          : `${allowed.name} is sold in quantities from ${allowed.minimum} to ${allowed.maximum}.`
    super('bad-quantity', 400, 'This quantity cannot be bought', message)
  }
}
