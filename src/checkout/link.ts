import type { Catalog } from '../catalog/catalog.ts'
import { type Product, quantityLimits } from '../catalog/product.ts'
import { AppError, hasCode } from '../errors.ts'
import { type Cart, type LinkItems, MAX_CART_ITEMS, parseItems } from '../links/cart.ts'
import { type LinkParameters, type Pair, readParameters } from '../links/parameters.ts'
import { type LinkText, mentionsSignature, repairLink, signedReadings } from '../links/repair.ts'
import { linkId, type ReadLink, type SignedTerms, signedTerms, verifySignature } from '../links/signature.ts'
import { plainForm } from '../plain-form.ts'

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
  /** Whether other clicks on the same link have this very object. */
  isShared: boolean
}

/** Links without a query that are kept; each takes two kilobytes, with what it sells. */
const MAX_SHARED = 1_000

/** What a link is read with. */
interface LinkContext {
  catalog: Catalog
  secrets: readonly string[]
  now: Date
}

/**
 * {@link readLink}, which keeps links without a query for one version of the catalog: those that were clicked twice, so that
 * a thousand links that are clicked once push nothing out of the memory.
 */
export function linkReader(): typeof readLink {
  // Nothing here keeps an old catalog in memory.
  const shared = new WeakMap<Catalog, Map<string, Link>>()
  let seenOnce = new Set<string>()
  return (segment, pairs, context) => {
    if (pairs.length > 0) return readLink(segment, pairs, context)
    const links = shared.get(context.catalog) ?? new Map<string, Link>()
    const known = links.get(segment)
    if (known !== undefined) return known
    const link = readLink(segment, pairs, context)
    // A damaged link may have its query in the segment, and with it a buyer's email, or an expiry.
    if (link.linkId !== undefined || link.parameters.covered.size > 0) return link
    if (!seenOnce.delete(segment)) {
      if (seenOnce.size >= MAX_SHARED) seenOnce = new Set()
      seenOnce.add(segment)
      return link
    }
    const one = { ...link, isShared: true }
    if (links.size >= MAX_SHARED) links.clear()
    shared.set(context.catalog, links.set(segment, one))
    return one
  }
}

/**
 * Reads a link from the items segment (percent-decoded once) and the pairs of its query and form: as it came, or with
 * what damaged it taken away.
 *
 * @throws AppError malformed-link, link-changed, link-expired, unknown-sku, bad-quantity
 */
export function readLink(
  segment: string,
  pairs: readonly Pair[],
  { catalog, secrets, now }: LinkContext,
): Link {
  const text = { segment, pairs }
  const isSigned = mentionsSignature(text)
  const { items, parameters } = isSigned ? readSigned(text, catalog, secrets) : readUnsigned(text, catalog)
  const terms = isSigned ? signedTerms({ items, parameters }) : {}
  if (terms.expiresAt !== undefined && terms.expiresAt <= now) throw new AppError('link-expired')
  return {
    items,
    cart: items.form === 'permalink' ? items.cart : singleItem(catalog, items.sku, parameters),
    parameters,
    terms,
    linkId: isSigned ? linkId({ items, parameters }) : undefined,
    isShared: false,
  }
}

/**
 * What a segment of a path names: as it came, or with what damaged it taken away where that is nothing known.
 *
 * @throws AppError malformed-link
 */
export function findItems(segment: string, catalog: Catalog): LinkItems {
  return readUnsigned({ segment, pairs: [] }, catalog).items
}

function readUnsigned(text: LinkText, catalog: Catalog): ReadLink {
  const { found, parameters } = repairLink(text, (segment) => knownItems(segment, catalog))
  return { items: found ?? parseItems(text.segment), parameters }
}

/** The items that a segment names exactly, or else the product whose sku has the same plain form. */
function knownItems(segment: string, catalog: Catalog): LinkItems | undefined {
  const exact = tryParse(segment)
  if (exact?.form === 'permalink' || (exact && catalog.find(exact.sku) !== undefined)) return exact
  if (isPermalink(segment)) {
    const plain = tryParse(plainForm(segment))
    return plain?.form === 'permalink' && plain.cart.every(({ sku }) => catalog.find(sku)) ? plain : undefined
  }
  const product = catalog.findPlain(segment)
  return product && { form: 'bare', sku: product.sku }
}

/** @throws AppError link-changed where the signature fits no reading of the link. */
function readSigned(text: LinkText, catalog: Catalog, secrets: readonly string[]): ReadLink {
  for (const { segment, pairs } of signedReadings(text)) {
    const parameters = readParameters(pairs)
    for (const items of [tryParse(segment), knownItems(segment, catalog)]) {
      const link = items && { items, parameters }
      if (link && verifySignature(link, secrets) === 'valid') return link
    }
  }
  throw new AppError('link-changed')
}

function tryParse(segment: string): LinkItems | undefined {
  try {
    return parseItems(segment)
  } catch (error) {
    if (hasCode(error, 'malformed-link')) return undefined
    throw error
  }
}

/**
 * What a link that cannot be sold says all the same, for the error page: the known products that it names, with
 * their quantities where there are any, and its parameters, read as those of a link without a signature. Never throws.
 */
export function readRest(segment: string, pairs: readonly Pair[], catalog: Catalog) {
  const { found, parameters } = repairLink({ segment, pairs }, (text) => {
    const items = /[?&%;]/.test(text) ? [] : namedItems(text, catalog)
    return items.length > 0 ? items : undefined
  })
  const items = found ?? namedItems(segment.split(/[?&\s]|%3F|%26/i)[0] ?? '', catalog)
  const { quantity } = parameters
  const asked =
    quantity.kind === 'given' ? quantity.value : quantity.kind === 'invalid' ? quantity.near : undefined
  return {
    items: items.length > 1 ? items : items.map((item) => ({ ...item, quantity: item.quantity ?? asked })),
    /** The first sku that the catalog does not know. */
    unknown: unknownSku(segment, catalog),
    parameters,
    isSigned: mentionsSignature({ segment, pairs }),
  }
}

function unknownSku(segment: string, catalog: Catalog): string | undefined {
  const tokens = segment.split(/[,?&]/).map((item) => item.split(':')[0] ?? '')
  const token = tokens.find(
    (one) =>
      one !== '' &&
      repairLink({ segment: one, pairs: [] }, (text) => knownItems(text, catalog)).found === undefined,
  )
  const items = token === undefined ? undefined : tryParse(token)
  return items?.form === 'bare' ? items.sku : token
}

export interface NamedItem {
  product: Product
  /** What the link asks for: it may be a number that nobody can buy. */
  quantity?: number
}

/** The known products of a segment that may be a malformed permalink, each once. */
function namedItems(segment: string, catalog: Catalog): NamedItem[] {
  const named = new Map<string, NamedItem>()
  for (const item of segment.split(',', MAX_CART_ITEMS)) {
    const [token = '', quantity] = item.split(':')
    const items = knownItems(token, catalog)
    const product = items?.form === 'bare' ? catalog.find(items.sku) : undefined
    if (product === undefined || named.has(product.sku)) continue
    const isNumber = quantity !== undefined && /^\s*-?\d+(?:\.\d+)?\s*$/.test(quantity)
    named.set(product.sku, { product, quantity: isNumber ? Number(quantity) : undefined })
  }
  return [...named.values()]
}

function isPermalink(segment: string): boolean {
  return /[:,]/.test(segment)
}

function singleItem(catalog: Catalog, sku: string, { quantity }: LinkParameters): Cart {
  const product = catalog.find(sku)
  if (product === undefined) throw new AppError('unknown-sku')
  const { minimum, maximum } = quantityLimits(product)
  if (quantity.kind === 'invalid') {
    throw new AppError('bad-quantity', { params: { minimum, maximum, name: product.name } })
  }
  // Without a quantity the link sells the minimum quantity of the product, which is nearly always one.
  return [{ sku, quantity: quantity.kind === 'given' ? quantity.value : minimum }]
}
