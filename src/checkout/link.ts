import type { Catalog } from '../catalog/catalog.ts'
import { quantityLimits } from '../catalog/product.ts'
import { AppError } from '../errors.ts'
import { type Cart, type LinkItems, parseItems } from '../links/cart.ts'
import { type LinkParameters, type Pair, readParameters } from '../links/parameters.ts'
import { linkId, type SignedTerms, signedTerms, verifySignature } from '../links/signature.ts'

/** What a buy link asks for. Terms that only the merchant may set are included only if the signature is valid. */
export interface Link {
  /** What the path names. */
  items: LinkItems
  cart: Cart
  parameters: LinkParameters
  /** Empty unless the link is signed. */
  terms: SignedTerms
  /** Names the signed link; undefined for any other. */
  linkId: string | undefined
}

/**
 * Reads a link from the items segment (percent-decoded once) and the pairs of its query and form.
 *
 * @throws AppError malformed-link, link-changed, link-expired, unknown-sku, bad-quantity
 */
export function readLink(
  segment: string,
  pairs: Iterable<Pair>,
  { catalog, secrets, now }: { catalog: Catalog; secrets: readonly string[]; now: Date },
): Link {
  const items = parseItems(segment)
  const parameters = readParameters(pairs)
  const signature = verifySignature({ items, parameters }, secrets)
  if (signature === 'invalid') throw new AppError('link-changed')
  const isSigned = signature === 'valid'
  const terms = isSigned ? signedTerms({ items, parameters }) : {}
  if (terms.expiresAt !== undefined && terms.expiresAt <= now) throw new AppError('link-expired')
  return {
    items,
    cart: items.form === 'permalink' ? items.cart : singleItem(catalog, items.sku, parameters),
    parameters,
    terms,
    linkId: isSigned ? linkId({ items, parameters }) : undefined,
  }
}

function singleItem(catalog: Catalog, sku: string, { quantity }: LinkParameters): Cart {
  const product = catalog.find(sku)
  if (product === undefined) throw new AppError('unknown-sku')
  if (quantity.kind === 'invalid') throw new AppError('bad-quantity')
  // Without a quantity the link sells the minimum quantity of the product, which is nearly always one.
  return [{ sku, quantity: quantity.kind === 'given' ? quantity.value : quantityLimits(product).minimum }]
}
