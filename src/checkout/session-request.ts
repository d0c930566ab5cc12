import type { CreateSession } from '../dots/messages.ts'
import { type Cart, printPermalink } from '../links/cart.ts'
import type { PricedCart } from './priced-cart.ts'

// Dots documents no limits of `metadata`; these are the ones that the field's other providers share.
const MOST_METADATA_KEYS = 20
const LONGEST_METADATA_VALUE = 500

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
  publicUrl: string
  /** Seconds, for products that name none of their own. */
  expiresIn: number
}

/** The body of the create call: the documented fields and no other. */
export function sessionRequest(
  priced: PricedCart,
  buyer: Buyer,
  { checkoutId, publicUrl, expiresIn }: SessionRequestOptions,
): CreateSession {
  const lifetimes = priced.lines.map(({ product }) => product.expires_in ?? expiresIn)
  return {
    line_items: priced.lines.map(({ product, quantity }) => ({
      price_data: {
        currency: product.currency ?? 'usd',
        amount: product.amount,
        product_data: {
          name: product.name,
          ...(product.description !== undefined && { description: product.description }),
          ...(product.images !== undefined && { images: [...product.images] }),
          ...(product.metadata !== undefined && { metadata: { ...product.metadata } }),
        },
      },
      quantity,
    })),
    mode: 'payment',
    success_url: `${publicUrl}/success?checkout=${checkoutId}`,
    cancel_url: `${publicUrl}/cancel?checkout=${checkoutId}`,
    expires_in: Math.min(...lifetimes),
    metadata: sessionMetadata(priced, buyer, checkoutId),
    ...(buyer.email !== undefined && { customer_email: buyer.email }),
    ...(buyer.clientReferenceId !== undefined && { client_reference_id: buyer.clientReferenceId }),
    ...(buyer.customerId !== undefined && { customer_id: buyer.customerId }),
    ...(buyer.userId !== undefined && { user_id: buyer.userId }),
  }
}

/**
 * What the session carries with it, most needed first, since the number of keys is bounded: what rebuilds a lost
 * store, then the product's own, then the link's.
 */
function sessionMetadata(priced: PricedCart, buyer: Buyer, checkoutId: string): Record<string, string> {
  const only = priced.lines.length === 1 ? priced.lines[0] : undefined
  const wishes: [string, string][] = [
    ['checkout_id', checkoutId],
    ...itemsMetadata(cartOf(priced)),
    ['amount_total', String(priced.amountTotal)],
    ...Object.entries(only?.product.metadata ?? {}),
    ...Object.entries(buyer.metadata),
    ...Object.entries(buyer.attribution),
  ]
  const metadata = new Map<string, string>()
  for (const [key, value] of wishes) {
    if (metadata.size === MOST_METADATA_KEYS) break
    // The first wins: nobody's link overwrites what the catalog or the shop itself says.
    if (!metadata.has(key) && value.length <= LONGEST_METADATA_VALUE) metadata.set(key, value)
  }
  return Object.fromEntries(metadata)
}

/** `items`, `items_2`, …: what is sold, in permalink form, cut at the longest value and to be joined again as it is. */
function itemsMetadata(cart: Cart): [string, string][] {
  const text = printPermalink(cart)
  const parts = text.match(new RegExp(`.{1,${LONGEST_METADATA_VALUE}}`, 'g')) ?? []
  return parts.map((part, index) => [index === 0 ? 'items' : `items_${index + 1}`, part])
}

/** A session's metadata without what the service itself put there: the product's own and the link's. */
export function merchantMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).filter(
      ([key]) => !/^(?:checkout_id|items(?:_[0-9]+)?|amount_total|link)$/.test(key),
    ),
  )
}

/** What is sold, by sku and quantity alone. */
export function cartOf(priced: PricedCart): Cart {
  return priced.lines.map(({ product, quantity }) => ({ sku: product.sku, quantity }))
}
