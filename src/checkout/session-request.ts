import type { Product } from '../catalog/product.ts'
import type { CreateSession } from '../dots/messages.ts'
import { MAX_METADATA_KEYS } from '../metadata.ts'
import { merchantMetadata, ownMetadata } from '../orders/session-metadata.ts'
import type { Order, OrderLine } from './price.ts'

/** The body of the create call, with documented fields only; and what else is known of the session. */
export interface SessionRequest {
  /** JSON of a {@link CreateSession}. */
  body: string
  /** Seconds. */
  expiresIn: number
  /** The merchant's part of its metadata. */
  merchantMetadata: Record<string, string>
}

interface RequestOptions {
  publicUrl: string
  /** Seconds, for products without an `expires_in`. */
  expiresIn: number
  /** Made ahead of its click. */
  isWarm?: boolean
}

export function sessionRequest(
  checkoutId: string,
  order: Order,
  { publicUrl, expiresIn, isWarm = false }: RequestOptions,
): SessionRequest {
  const { link, lines, amountTotal } = order
  const { parameters, terms, linkId } = link
  const cart = lines.map(({ product, quantity }) => ({ sku: product.sku, quantity }))
  const own = ownMetadata({ checkoutId, cart, amountTotal, linkId, isWarm })
  const merchant = merchantPart(order, Object.keys(own).length)
  const expires_in = Math.min(...lines.map(({ product }) => product.expires_in ?? expiresIn))
  const fields: Omit<CreateSession, 'line_items'> = {
    mode: 'payment',
    success_url: `${publicUrl}/success?checkout=${checkoutId}`,
    cancel_url: `${publicUrl}/cancel?checkout=${checkoutId}`,
    expires_in,
    metadata: { ...own, ...merchant },
    customer_email: parameters.email,
    client_reference_id: parameters.clientReferenceId,
    customer_id: terms.customerId,
    user_id: terms.userId,
  }
  return {
    body: `{"line_items":[${lineItems(lines)}],${JSON.stringify(fields).slice(1)}`,
    expiresIn: expires_in,
    merchantMetadata: merchant,
  }
}

/** The merchant's part of the metadata, beside so many keys of our own. */
export function merchantPart({ lines, link }: Order, ownKeys: number): Record<string, string> {
  return merchantMetadata(
    MAX_METADATA_KEYS - ownKeys,
    // Several products' metadata could contradict one another; each line has its own in any case.
    (lines.length === 1 && lines[0]?.product.metadata) || {},
    link.parameters.metadata,
    link.parameters.attribution,
  )
}

type PriceData = CreateSession['line_items'][number]['price_data']

/**
 * The cart as Dots takes it, in JSON. No two lines of it may be equal: products that differ in nothing but their sku, which
 * Dots has no field for, become one line with the sum of their quantities.
 */
function lineItems(lines: readonly OrderLine[]): string {
  const [only, ...others] = lines
  if (only !== undefined && others.length === 0) return lineItem(priceData(only), only.quantity)
  const quantities = new Map<string, number>()
  for (const line of lines) {
    const price = priceData(line)
    quantities.set(price, (quantities.get(price) ?? 0) + line.quantity)
  }
  return [...quantities].map(([price, quantity]) => lineItem(price, quantity)).join()
}

function lineItem(price: string, quantity: number): string {
  return `{"price_data":${price},"quantity":${quantity}}`
}

function priceData({ product, amount }: OrderLine): string {
  const price: PriceData = { currency: product.currency, amount, product_data: productData(product) }
  return JSON.stringify(price)
}

/** The keys of `metadata` in one order, so that equal products give equal texts. */
function productData({ name, description, images, metadata }: Product): PriceData['product_data'] {
  return {
    name,
    description,
    images: images && [...images],
    metadata: metadata && Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}
