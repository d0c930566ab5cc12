import type { LiveCatalog } from '../catalog/live-catalog.ts'
import { availability, type Product, quantityLimits, salesLimit } from '../catalog/product.ts'
import { similarProducts } from '../catalog/similar.ts'
import type { AppError, ErrorCode, Log } from '../errors.ts'
import { encodeSku, formatPermalink } from '../links/cart.ts'
import { saidBy, toQuery } from '../links/link-builder.ts'
import type { Pair } from '../links/parameters.ts'
import type { NextSteps } from '../pages/problem.ts'
import type { FormValues, ProductOffer } from '../pages/product.ts'
import type { Store } from '../store/open-store.ts'
import { optional } from '../store/store.ts'
import { type NamedItem, readRest } from './link.ts'

/** How many products an error page leads to, of each kind: a buyer looks for one of them. */
const MAX_PRODUCTS = 4

interface Context {
  catalog: Pick<LiveCatalog, 'current'>
  store: Store
  now: () => Date
  log: Log
}

/** A link that could not be sold: the items segment of its path, percent-decoded once, and the pairs of its query and form. */
export interface RefusedLink {
  segment: string
  pairs: readonly Pair[]
  failure: AppError
}

/** These errors are about the link and its products, not about the shop. */
const CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['unknown-sku', 'bad-quantity', 'malformed-link'] as const),
  ...(['link-changed', 'link-expired', 'link-used-up'] as const),
  ...(['product-inactive', 'product-not-yet', 'product-ended', 'product-sold-out'] as const),
])

/** What the error page of a link offers to do next, with all that the link said; undefined for errors of the shop. */
export async function nextSteps(
  { segment, pairs, failure }: RefusedLink,
  { catalog: { current: catalog }, store, now, log }: Context,
): Promise<NextSteps | undefined> {
  const { code, details } = failure
  if (!CODES.has(code)) return undefined
  const { items, unknown = '', parameters, isSigned } = readRest(segment, pairs, catalog)
  // Who made a signed link decides what it says: without its signature only the source of the click is left.
  const said = saidBy(isSigned ? { attribution: parameters.attribution } : parameters)
  const steps: NextSteps = { query: toQuery(said), named: [], similar: [] }
  const soldOut = await soldOutAmong(
    items.map(({ product }) => product),
    store,
    log,
  )
  const canBeBought = ({ product }: NamedItem) =>
    availability(product, now()) === 'available' && !soldOut.has(product.sku)

  const [first, ...others] = items
  const isBadQuantity = code === 'bad-quantity' || (code === 'malformed-link' && others.length === 0)
  if (isBadQuantity && first !== undefined && !isSigned && items.every(canBeBought)) {
    if (others.length > 0) return { ...steps, cart: sellableCart(items, said) }
    return { ...steps, offer: { product: offerOf(first.product), form: formOf(first, said) } }
  }
  const failed = items.find(({ product }) => code.startsWith('product-') && product.sku === details.sku)
  const text = failed ? `${failed.product.sku} ${failed.product.name}` : unknown
  const similar = similarProducts(catalog, text, now(), 2 * MAX_PRODUCTS)
  const similarSoldOut = await soldOutAmong(similar, store, log)
  return {
    ...steps,
    offer: failed && { product: offerOf(failed.product) },
    named: items
      .filter((item) => item !== failed)
      .slice(0, MAX_PRODUCTS)
      .map((item) => ({ name: item.product.name, url: productUrl(item, said) })),
    similar: similar
      .filter(
        (product) => !similarSoldOut.has(product.sku) && !items.some((item) => item.product === product),
      )
      .slice(0, MAX_PRODUCTS)
      .map(offerOf),
  }
}

function productUrl({ product, quantity }: NamedItem, said: readonly Pair[]): string {
  const query = toQuery(quantity === undefined ? said : [...said, ['quantity', String(quantity)]])
  return `/products/${encodeSku(product.sku)}${query && `?${query}`}`
}

/** The skus of the products that have reached their sales limit; none where the store fails. */
export async function soldOutAmong(
  products: readonly Product[],
  { checkouts }: Store,
  log: Log,
): Promise<ReadonlySet<string>> {
  const limits = products.flatMap((product) => {
    const limit = salesLimit(product)
    return limit === undefined ? [] : [{ sku: product.sku, limit }]
  })
  if (limits.length === 0) return new Set()
  return (await optional(log, 'sales-limit.skipped', () => checkouts.soldOut(limits))) ?? new Set()
}

/** A product as the pages show it. */
export function offerOf(product: Product): ProductOffer {
  return { ...product, token: encodeSku(product.sku), quantity: quantityLimits(product) }
}

/** The Buy form of a product, with the quantity that comes nearest to what was asked, and all else that was said. */
export function formOf({ product, quantity }: NamedItem, said: readonly Pair[]): FormValues {
  return { quantity: sellableQuantity(product, quantity), hiddenFields: said }
}

function sellableQuantity(product: Product, asked = Number.NaN): number {
  const { minimum, maximum } = quantityLimits(product)
  return Number.isNaN(asked) ? minimum : Math.min(Math.max(Math.round(asked), minimum), maximum)
}

function sellableCart(items: readonly NamedItem[], said: readonly Pair[]): NonNullable<NextSteps['cart']> {
  const lines = items.map(({ product, quantity }) => ({
    product,
    quantity: sellableQuantity(product, quantity),
  }))
  const cart = lines.map(({ product: { sku }, quantity }) => ({ sku, quantity }))
  return {
    action: `/buy/${formatPermalink(cart)}`,
    hiddenFields: said,
    items: lines.map(({ product: { name, amount }, quantity }) => ({ name, quantity, amount })),
    amountTotal: lines.reduce((total, { product: { amount }, quantity }) => total + amount * quantity, 0),
    currency: lines[0]?.product.currency ?? '',
  }
}
