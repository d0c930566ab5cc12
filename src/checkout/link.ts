import type { Catalog } from '../catalog/catalog.ts'
import { quantityLimits } from '../catalog/product.ts'
import { AppError, hasCode } from '../errors.ts'
import { type Cart, encodeSku, type LinkItems, parseItems } from '../links/cart.ts'
import { type LinkParameters, type Pair, readParameters } from '../links/parameters.ts'
import {
  type LinkText,
  mentionsSignature,
  readRepaired,
  signedReadings,
  withoutTrailing,
} from '../links/repair.ts'
import { linkId, type ReadLink, type SignedTerms, signedTerms, verifySignature } from '../links/signature.ts'

/** How many products an error page leads to: a buyer looks for one of them. */
const MAX_NAMED_PRODUCTS = 5

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
 * Reads a link from the items segment (percent-decoded once) and the pairs of its query and form: as it came, or with
 * what damaged it taken away.
 *
 * @throws AppError malformed-link, link-changed, link-expired, unknown-sku, bad-quantity
 */
export function readLink(
  segment: string,
  pairs: Iterable<Pair>,
  { catalog, secrets, now }: { catalog: Catalog; secrets: readonly string[]; now: Date },
): Link {
  const text = { segment, pairs: [...pairs] }
  const isSigned = mentionsSignature(text)
  const { items, parameters } = isSigned
    ? readSigned(text, catalog, secrets)
    : { items: findItems(segment, catalog), parameters: readRepaired(text.pairs) }
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

/**
 * What a segment of a path names: as it came, or without the punctuation at its end where that is nothing known.
 *
 * @throws AppError malformed-link
 */
export function findItems(segment: string, catalog: Catalog): LinkItems {
  const isKnown = (items: LinkItems | undefined): items is LinkItems =>
    items !== undefined && (items.form === 'permalink' || catalog.find(items.sku) !== undefined)
  const exact = tryParse(segment)
  if (isKnown(exact)) return exact
  for (const shorter of withoutTrailing(segment)) {
    const removed = segment[shorter.length]
    // In a permalink they are grammar: a quantity or an item is missing behind them.
    if (removed === ':' || (removed === ',' && /[:,]/.test(shorter))) break
    const items = tryParse(shorter)
    if (isKnown(items)) return items
  }
  return exact ?? parseItems(segment)
}

/** @throws AppError link-changed where the signature fits no reading of the link. */
function readSigned(text: LinkText, catalog: Catalog, secrets: readonly string[]): ReadLink {
  for (const { segment, pairs } of signedReadings(text)) {
    const items = tryParse(segment)
    if (items === undefined) continue
    const link = { items, parameters: readParameters(pairs) }
    if (verifySignature(link, secrets) === 'valid') return link
  }
  throw new AppError('link-changed', { params: { products: namedProducts(text.segment, catalog) } })
}

function tryParse(segment: string): LinkItems | undefined {
  try {
    return parseItems(segment)
  } catch (error) {
    if (hasCode(error, 'malformed-link')) return undefined
    throw error
  }
}

/** The known products among what a damaged segment names. */
function namedProducts(segment: string, catalog: Catalog): { name: string; path: string }[] {
  const [items = ''] = segment.split(/[?&\s]|%3F|%26/i)
  const skus = items.split(',').flatMap((item) => {
    const found = tryParse(item.split(':')[0] ?? '')
    return found?.form === 'bare' ? [found.sku] : []
  })
  const products = [...new Set(skus)].map((sku) => catalog.find(sku)).filter((found) => found !== undefined)
  return products
    .slice(0, MAX_NAMED_PRODUCTS)
    .map(({ sku, name }) => ({ name, path: `/products/${encodeSku(sku)}` }))
}

function singleItem(catalog: Catalog, sku: string, { quantity }: LinkParameters): Cart {
  const product = catalog.find(sku)
  if (product === undefined) throw new AppError('unknown-sku')
  if (quantity.kind === 'invalid') throw new AppError('bad-quantity')
  // Without a quantity the link sells the minimum quantity of the product, which is nearly always one.
  return [{ sku, quantity: quantity.kind === 'given' ? quantity.value : quantityLimits(product).minimum }]
}
