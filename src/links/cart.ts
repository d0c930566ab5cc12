import { AppError } from '../errors.ts'

interface CartItem {
  readonly sku: string
  /** Whole units, at least 1. */
  readonly quantity: number
}

/** What a link asks for. Each sku occurs once, in the order of its first mention. */
export type Cart = readonly CartItem[]

/** What a `/buy` path names: a whole cart, or one sku whose quantity the query may set. */
export type LinkItems =
  | { readonly form: 'permalink'; readonly cart: Cart }
  | { readonly form: 'bare'; readonly sku: string }

/** Every product is a line of the session: without a bound, one long URL would be thousands of lines. */
export const MAX_CART_ITEMS = 100

const PLAIN_TOKEN = /^[A-Za-z0-9._-]+$/
const ENCODED_TOKEN = /^~[A-Za-z0-9_-]+$/
const PAIR = /^([^:]*):([1-9][0-9]*)$/
const CONTROL_CHARACTER = /\p{Cc}/u

/** A link that cannot be read or made. `reason` is for logs and the link's author: never a buyer's data. */
export function malformedLink(reason: string): AppError {
  return new AppError('malformed-link', { details: { reason } })
}

/**
 * Reads the items segment of a `/buy` path, percent-decoded once. A segment with a `:` or a `,` is always
 * read as a permalink, so that a damaged one is not mistaken for an unknown sku; a sku with such a character
 * has to come in its `~` form. Everything else is one item.
 *
 * @throws AppError malformed-link
 * Source: UCP 2026-08-25, capability dev.ucp.shopping.permalink.
 */
export function parseItems(pathSegment: string): LinkItems {
  if (/[:,]/.test(pathSegment)) {
    return { form: 'permalink', cart: makeCart(pathSegment.split(',').map(parsePair)) }
  }
  if (pathSegment === '') throw malformedLink('no item')
  if (!isNameable(pathSegment)) throw malformedLink('item holds control characters')
  return { form: 'bare', sku: pathSegment.startsWith('~') ? decodeToken(pathSegment) : pathSegment }
}

/** The items segment in its canonical form, safe in a URL path. @throws AppError malformed-link */
export function formatItems(items: LinkItems): string {
  return items.form === 'bare' ? encodeSku(items.sku) : formatPermalink(items.cart)
}

/** The canonical permalink of a cart, safe in a URL path: `tee:2,mug:1`. @throws AppError malformed-link */
export function formatPermalink(cart: Cart): string {
  return makeCart(cart)
    .map(({ sku, quantity }) => `${encodeSku(sku)}:${quantity}`)
    .join(',')
}

/** The sku that a `~` token names; any other text itself. @throws AppError malformed-link */
export function skuOfToken(text: string): string {
  return text.startsWith('~') ? decodeToken(text) : text
}

/**
 * The canonical token of one sku, safe in a URL path: the sku itself where the standard allows it, its
 * `~base64url` form otherwise.
 * @throws AppError malformed-link where no token could name the sku.
 */
export function encodeSku(sku: string): string {
  if (!isNameable(sku)) throw malformedLink('the sku is empty or holds control characters')
  // Browsers and proxies take `.` and `..` as directories and remove them from the path.
  return PLAIN_TOKEN.test(sku) && sku !== '.' && sku !== '..' ? sku : toToken(sku)
}

/** The items of the shortest link to a cart: one unit of one product needs no quantity. */
export function shortestItems(cart: Cart): LinkItems {
  const [first] = cart
  return cart.length === 1 && first?.quantity === 1
    ? { form: 'bare', sku: first.sku }
    : { form: 'permalink', cart }
}

/** Path of the plain link to a cart: `/buy/tee` or `/buy/tee:2,mug:1`. @throws AppError malformed-link */
export function buyPath(cart: Cart): string {
  return `/buy/${formatItems(shortestItems(cart))}`
}

/**
 * Sums the quantities of the same sku, in first-seen order.
 *
 * @throws AppError malformed-link for an empty cart, more than `MAX_CART_ITEMS` products, and quantities or
 * sums that are not whole numbers from 1 to `Number.MAX_SAFE_INTEGER`.
 */
export function makeCart(items: readonly CartItem[]): Cart {
  const [only, ...others] = items
  // Most carts; nothing in it has to be summed.
  if (only !== undefined && others.length === 0 && isQuantity(only.quantity)) return items
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of items) {
    const sum = (quantities.get(sku) ?? 0) + quantity
    if (!isQuantity(quantity) || !Number.isSafeInteger(sum)) {
      throw malformedLink('quantity is not a whole number in the supported range')
    }
    quantities.set(sku, sum)
    if (quantities.size > MAX_CART_ITEMS) throw malformedLink('too many items')
  }
  if (quantities.size === 0) throw malformedLink('no item')
  return Array.from(quantities, ([sku, quantity]) => ({ sku, quantity }))
}

function isQuantity(quantity: number): boolean {
  return quantity >= 1 && Number.isSafeInteger(quantity)
}

/** Whether a path can carry a sku, as itself or as a token. */
function isNameable(sku: string): boolean {
  return sku !== '' && sku.isWellFormed() && !CONTROL_CHARACTER.test(sku)
}

function parsePair(pair: string): CartItem {
  const [, token, quantity] = PAIR.exec(pair) ?? []
  if (token === undefined) throw malformedLink('item without a quantity of at least 1')
  return { sku: PLAIN_TOKEN.test(token) ? token : decodeToken(token), quantity: Number(quantity) }
}

function toToken(sku: string): string {
  return `~${Buffer.from(sku).toString('base64url')}`
}

function decodeToken(token: string): string {
  if (!ENCODED_TOKEN.test(token)) throw malformedLink('item is neither a plain sku nor a token')
  const sku = Buffer.from(token.slice(1), 'base64url').toString('utf8')
  // If it is encoded again, the text differs for unused bits that are set, lost characters and invalid UTF-8.
  if (toToken(sku) !== token) throw malformedLink('item token is not canonical base64url of UTF-8')
  if (!isNameable(sku)) throw malformedLink('item token holds control characters')
  return sku
}
