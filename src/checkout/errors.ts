import type { Product } from '../catalog/product.ts'
import { AppError } from '../errors.ts'

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

/** 403: a signed link that is not as the merchant made it. */
export class ForgedLinkError extends AppError {
  constructor() {
    super(
      'link-changed',
      403,
      'This link was changed',
      'It is not as the shop made it, so it cannot be used. Please use the original link, or ask the shop for a new one.',
    )
  }
}

const LINK_ENDED = {
  'link-expired': ['This link has expired', 'Its time is over. Please ask the shop for a new one.'],
  'link-used-up': ['This link was used already', 'It was good for a number of orders, and those are made.'],
} as const

/** 410: a signed link past its time or its uses. */
export class LinkEndedError extends AppError {
  constructor(code: keyof typeof LINK_ENDED) {
    const [title, message] = LINK_ENDED[code]
    super(code, 410, title, message)
  }
}

/** 404: no checkout has this id; malformed ids get the same answer, so that nothing can be learnt by trying. */
export class UnknownCheckoutError extends AppError {
  constructor() {
    super(
      'unknown-checkout',
      404,
      'There is no such checkout',
      'The address does not belong to a checkout of this shop. Please use the link that the checkout led you to.',
    )
  }
}
