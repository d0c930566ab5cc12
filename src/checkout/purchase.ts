import { hash } from 'node:crypto'
import { buyPath, formatItems, formatPermalink } from '../links/cart.ts'
import { formFields } from '../links/parameters.ts'
import { newCheckoutId } from '../orders/session-metadata.ts'
import type { NewCheckout } from '../store/checkout.ts'
import type { Link } from './link.ts'
import type { Order } from './price.ts'
import { type SessionRequest, sessionRequest } from './session-request.ts'

/** In characters. The server accepts no longer URL; a form can have more fields than fit into one. */
const MAX_LINK_LENGTH = 8_192
/** Stands for the id of a checkout. It is random, so nothing else in a body looks like it. */
const ANY_ID = newCheckoutId(new Date(0))

/** All of a click that follows from its order. */
export interface Purchase {
  /** What is sold at which price, to whom, through which signed link, as a hash. Attribution is not included. */
  hash: string
  /** The skus and quantities, for log lines. */
  items: string
  checkout: Omit<NewCheckout, 'id' | 'metadata'>
  /** What Dots is asked for, for the checkout with this id. */
  requestOf: (checkoutId: string) => SessionRequest
}

/** The purchases of orders. Those of links without a query are made once for each version of the catalog. */
export function purchases(terms: { publicUrl: string; expiresIn: number }) {
  const known = new WeakMap<Link, Purchase>()

  return (order: Order): Purchase => {
    const { link } = order
    const before = link.isShared ? known.get(link) : undefined
    if (before !== undefined) return before
    const purchase = {
      hash: purchaseHash(order),
      items: formatPermalink(link.cart),
      checkout: checkoutOf(order),
      requestOf: link.isShared
        ? requestTemplate(sessionRequest(ANY_ID, order, terms))
        : (checkoutId: string) => sessionRequest(checkoutId, order, terms),
    }
    if (link.isShared) known.set(link, purchase)
    return purchase
  }
}

/** Makes requests that differ from this one in nothing but the id. */
function requestTemplate({ body, ...rest }: SessionRequest): Purchase['requestOf'] {
  const parts = body.split(ANY_ID)
  return (checkoutId) => ({ ...rest, body: parts.join(checkoutId) })
}

function checkoutOf({ link, lines, amountTotal, currency }: Order): Purchase['checkout'] {
  return {
    items: lines.map(({ product: { sku, name }, quantity, amount }) => ({ sku, name, quantity, amount })),
    amountTotal,
    currency,
    link: linkAsItCame(link),
    linkId: link.linkId ?? null,
    linkUses: link.terms.uses ?? null,
    clientReferenceId: link.parameters.clientReferenceId ?? null,
    customerEmail: link.parameters.email ?? null,
  }
}

/** The path and query of a link, with all that a signature covers, the attribution and the signature. */
function linkAsItCame({ cart, items, parameters }: Link): string {
  const query = formFields(parameters)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
  const link = `/buy/${formatItems(items)}${query && `?${query}`}`
  return link.length <= MAX_LINK_LENGTH ? link : buyPath(cart)
}

function purchaseHash({ lines, link: { parameters, terms, linkId } }: Order): string {
  const items = lines.map(({ product, quantity, amount }) => [product.sku, quantity, amount])
  const { email, clientReferenceId, metadata } = parameters
  const purchase = [
    items,
    email,
    clientReferenceId,
    terms.customerId,
    terms.userId,
    Object.entries(metadata),
    linkId,
  ]
  return hash('sha256', JSON.stringify(purchase), 'base64url')
}
