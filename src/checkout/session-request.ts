import type { Product } from '../catalog/product.ts'
import type { CreateSession } from '../dots/messages.ts'
import { MAX_METADATA_KEYS } from '../metadata.ts'
import { merchantMetadata, ownMetadata } from '../orders/session-metadata.ts'
import type { Order, OrderLine } from './price.ts'

/** The body of the create call, with documented fields only; and the merchant's part of its metadata. */
export interface SessionRequest {
  body: CreateSession
  merchantMetadata: Record<string, string>
}

/** `expiresIn`: seconds, for products without an `expires_in`. */
export function sessionRequest(
  checkoutId: string,
  { link: { parameters, terms, linkId }, lines, amountTotal }: Order,
  { publicUrl, expiresIn }: { publicUrl: string; expiresIn: number },
): SessionRequest {
  const cart = lines.map(({ product, quantity }) => ({ sku: product.sku, quantity }))
  const own = ownMetadata({ checkoutId, cart, amountTotal, linkId })
  const merchant = merchantMetadata(
    MAX_METADATA_KEYS - Object.keys(own).length,
    // Several products' metadata could contradict one another; each line has its own in any case.
    (lines.length === 1 && lines[0]?.product.metadata) || {},
    parameters.metadata,
    parameters.attribution,
  )
  return {
    body: {
      line_items: lineItems(lines),
      mode: 'payment',
      success_url: `${publicUrl}/success?checkout=${checkoutId}`,
      cancel_url: `${publicUrl}/cancel?checkout=${checkoutId}`,
      expires_in: Math.min(...lines.map(({ product }) => product.expires_in ?? expiresIn)),
      metadata: { ...own, ...merchant },
      customer_email: parameters.email,
      client_reference_id: parameters.clientReferenceId,
      customer_id: terms.customerId,
      user_id: terms.userId,
    },
    merchantMetadata: merchant,
  }
}

type LineItem = CreateSession['line_items'][number]

/**
 * The cart as Dots takes it, where no two lines may be equal: products that differ in nothing but their sku, which Dots
 * has no field for, become one line with the sum of their quantities.
 */
function lineItems(lines: readonly OrderLine[]): LineItem[] {
  if (lines.length === 1) return lines.map(lineItem)
  const items = new Map<string, LineItem>()
  for (const line of lines) {
    const item = lineItem(line)
    const key = JSON.stringify(item.price_data)
    const equal = items.get(key)
    if (equal === undefined) items.set(key, item)
    else equal.quantity += item.quantity
  }
  return [...items.values()]
}

function lineItem({ product, quantity, amount }: OrderLine): LineItem {
  return { price_data: { currency: product.currency, amount, product_data: productData(product) }, quantity }
}

/** The keys of `metadata` in one order, so that equal products give equal texts. */
function productData({
  name,
  description,
  images,
  metadata,
}: Product): LineItem['price_data']['product_data'] {
  return {
    name,
    description,
    images: images && [...images],
    metadata: metadata && Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}
