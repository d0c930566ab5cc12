import type { Catalog } from '../catalog/catalog.ts'
import { quantityLimits } from '../catalog/product.ts'
import { AppError } from '../errors.ts'
import { type Cart, type LinkItems, parseItems, printItem, printPermalink } from '../links/cart.ts'
import { type LinkParameters, readParameters } from '../links/parameters.ts'
import { linkId, type SignedTerms, signedTerms, verifySignature } from '../links/signature.ts'
import type { Buyer } from './session-request.ts'

/** What a link asks for, as far as it may be believed. */
export interface Click {
  items: LinkItems
  cart: Cart
  parameters: LinkParameters
  buyer: Buyer
  /** Set by a signed link alone. */
  terms: SignedTerms
  /** Names the signed link that the click came through. */
  linkId: string | undefined
}

/**
 * Reads a click from the items segment (percent-decoded once), the raw query and a form's body.
 *
 * @throws AppError malformed-link, link-changed, link-expired, unknown-sku, bad-quantity
 */
export function readClick(
  { segment, query, body }: { segment: string; query: string; body?: string | undefined },
  { catalog, secrets, now }: { catalog: Catalog; secrets: readonly string[]; now: Date },
): Click {
  const items = parseItems(segment)
  const parameters = readParameters(query, body)
  const link = { items, parameters }
  const signature = verifySignature(link, secrets)
  if (signature === 'invalid') throw new AppError('link-changed')
  const terms = signature === 'valid' ? signedTerms(link) : {}
  if (terms.expiresAt !== undefined && terms.expiresAt <= now) throw new AppError('link-expired')
  const cart = items.form === 'permalink' ? items.cart : bareCart(catalog, items.sku, parameters)
  return {
    items,
    cart,
    parameters,
    terms,
    linkId: signature === 'valid' ? linkId(link) : undefined,
    buyer: {
      email: parameters.email,
      clientReferenceId: parameters.clientReferenceId,
      metadata: parameters.metadata,
      attribution: parameters.attribution,
      customerId: terms.customerId,
      userId: terms.userId,
    },
  }
}

/** The items segment of the link in its canonical spelling, safe in a path as it stands. */
export function printItems(items: LinkItems): string {
  return items.form === 'bare' ? printItem(items.sku) : printPermalink(items.cart)
}

function bareCart(catalog: Catalog, sku: string, { quantity }: LinkParameters): Cart {
  const product = catalog.find(sku)
  if (product === undefined) throw new AppError('unknown-sku')
  if (quantity.kind === 'invalid') throw new AppError('bad-quantity')
  // A link without a quantity asks for the least that can be bought, which is one nearly always.
  return [{ sku, quantity: quantity.kind === 'given' ? quantity.value : quantityLimits(product).minimum }]
}
