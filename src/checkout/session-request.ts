import { isDeepStrictEqual } from 'node:util'
import type { CreateSession } from '../dots/messages.ts'
import type { Cart } from '../links/cart.ts'
import { sessionMetadata } from '../orders/session-metadata.ts'
import type { PricedCart, PricedLine } from './priced-cart.ts'

/** Who buys, as far as the link says; all of it has been checked. */
export interface Buyer {
  email?: string | undefined
  clientReferenceId?: string | undefined
  customerId?: string | undefined
  userId?: string | undefined
  /** The link's `metadata_…` parameters. */
  metadata: Readonly<Record<string, string>>
  /** The link's `utm_…` and `ref`. */
  attribution: Readonly<Record<string, string>>
}

export interface SessionRequestOptions {
  checkoutId: string
  linkId: string | undefined
  publicUrl: string
  /** Seconds, for products that name none of their own. */
  expiresIn: number
}

/** The body of the create call: the documented fields and no other. */
export function sessionRequest(
  priced: PricedCart,
  buyer: Buyer,
  { checkoutId, linkId, publicUrl, expiresIn }: SessionRequestOptions,
): CreateSession {
  const lifetimes = priced.lines.map(({ product }) => product.expires_in ?? expiresIn)
  return {
    line_items: lineItems(priced),
    mode: 'payment',
    success_url: `${publicUrl}/success?checkout=${checkoutId}`,
    cancel_url: `${publicUrl}/cancel?checkout=${checkoutId}`,
    expires_in: Math.min(...lifetimes),
    metadata: sessionMetadata(
      { checkoutId, cart: cartOf(priced), amountTotal: priced.amountTotal, linkId },
      // Several products' metadata could contradict one another; each line has its own in any case.
      (priced.lines.length === 1 && priced.lines[0]?.product.metadata) || {},
      buyer.metadata,
      buyer.attribution,
    ),
    ...(buyer.email !== undefined && { customer_email: buyer.email }),
    ...(buyer.clientReferenceId !== undefined && { client_reference_id: buyer.clientReferenceId }),
    ...(buyer.customerId !== undefined && { customer_id: buyer.customerId }),
    ...(buyer.userId !== undefined && { user_id: buyer.userId }),
  }
}

type LineItem = CreateSession['line_items'][number]

/**
 * The cart as Dots takes it, where no two lines may be equal: products that differ in nothing but their sku, which Dots
 * has no field for, come as one line with the sum of their quantities.
 */
function lineItems({ lines }: PricedCart): LineItem[] {
  const items: LineItem[] = []
  for (const line of lines) {
    const price_data = priceData(line)
    const equal = items.find((item) => isDeepStrictEqual(item.price_data, price_data))
    if (equal === undefined) items.push({ price_data, quantity: line.quantity })
    else equal.quantity += line.quantity
  }
  return items
}

function priceData({ product, amount }: PricedLine): LineItem['price_data'] {
  return {
    currency: product.currency ?? 'usd',
    amount,
    product_data: {
      name: product.name,
      ...(product.description !== undefined && { description: product.description }),
      ...(product.images !== undefined && { images: [...product.images] }),
      ...(product.metadata !== undefined && { metadata: { ...product.metadata } }),
    },
  }
}

/** What is sold, by sku and quantity alone. */
export function cartOf(priced: PricedCart): Cart {
  return priced.lines.map(({ product, quantity }) => ({ sku: product.sku, quantity }))
}
