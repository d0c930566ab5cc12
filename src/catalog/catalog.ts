import { setImmediate as nextTurn } from 'node:timers/promises'

import { CatalogError, type CatalogProblem, jsonPointer } from './catalog-error.ts'
import { decodeCatalog, readCatalogFile } from './catalog-file.ts'
import { findSyntaxProblem } from './json-syntax.ts'
import { type Product, type ProductEntry, type SalePeriod, salePeriod } from './product.ts'
import { contradictions, isProductEntry, schemaProblems } from './product-problems.ts'

export { CatalogError, type CatalogProblem } from './catalog-error.ts'

// A batch takes a few milliseconds; buyers' requests are served between two of them.
const PRODUCTS_PER_TURN = 1000

/** The products of one version of the file. It never changes: a new version is a new catalog. */
export class Catalog {
  /** In the order of the file. */
  readonly products: readonly Product[]
  readonly #bySku: ReadonlyMap<string, Product>
  /** The active products beside their periods, so that going through them takes a few milliseconds. */
  #offers: readonly (SalePeriod & { readonly product: Product })[] | undefined
  /** What is on sale all through `during`. */
  #onSale: { during: SalePeriod; products: readonly Product[] } | undefined

  /** The skus must differ from one another; `parseCatalog` sees to that. */
  constructor(products: readonly Product[]) {
    this.products = Object.freeze([...products])
    this.#bySku = new Map(products.map((product) => [product.sku, product]))
  }

  /** The product with exactly that sku, in the same time whatever the size. */
  find(sku: string): Product | undefined {
    return this.#bySku.get(sku)
  }

  /**
   * The products that can be bought at that moment, in the order of the file. The list is kept until the next sale
   * begins or ends, so that a page of it costs nearly nothing however large the catalog is. Not to be changed.
   */
  onSale(now: Date): readonly Product[] {
    const at = now.getTime()
    const kept = this.#onSale
    if (kept !== undefined && at >= kept.during.from && at < kept.during.until) return kept.products
    const products: Product[] = []
    let since = Number.NEGATIVE_INFINITY
    let next = Number.POSITIVE_INFINITY
    this.#offers ??= this.products
      .filter(({ active }) => active)
      .map((product) => ({ product, ...salePeriod(product) }))
    for (const { product, from, until } of this.#offers) {
      if (at < from) next = Math.min(next, from)
      else if (at < until) {
        products.push(product)
        since = Math.max(since, from)
        next = Math.min(next, until)
      } else since = Math.max(since, until)
    }
    this.#onSale = { during: { from: since, until: next }, products: Object.freeze(products) }
    return products
  }

  get size(): number {
    return this.products.length
  }
}

/**
 * Reads and checks a catalog file.
 * @throws CatalogError with every problem, also where the file is missing or unreadable.
 */
export async function readCatalog(path: string): Promise<Catalog> {
  const { bytes } = await readCatalogFile(path)
  return parseCatalog(decodeCatalog(bytes))
}

/**
 * Checks a catalog's text, with pauses for other work between batches of products.
 * @throws CatalogError with every problem in the order of the file.
 */
export async function parseCatalog(text: string): Promise<Catalog> {
  const entries = productsOf(parseJson(text))
  const problems = entries.problems
  const products: Product[] = []
  const firstWithSku = new Map<string, number>()

  for (const [index, entry] of entries.products.entries()) {
    if (index % PRODUCTS_PER_TURN === PRODUCTS_PER_TURN - 1) await nextTurn()
    const sku = skuOf(entry)
    const first = sku === undefined ? undefined : firstWithSku.get(sku)
    if (sku !== undefined && first === undefined) firstWithSku.set(sku, index)

    if (isProductEntry(entry)) products.push(toProduct(entry))
    else problems.push(...schemaProblems(entry, jsonPointer('products', index)))
    for (const { pointer, message } of isObject(entry) ? contradictions(entry) : []) {
      problems.push({ pointer: jsonPointer('products', index) + pointer, message })
    }
    if (first !== undefined) {
      const other = jsonPointer('products', first, 'sku')
      const message = `${JSON.stringify(sku)} is also the sku at ${other}: change one`
      problems.push({ pointer: jsonPointer('products', index, 'sku'), message })
    }
  }
  if (problems.length > 0) throw new CatalogError(problems)
  return new Catalog(products)
}

function parseJson(text: string): unknown {
  const withoutMark = text.startsWith('\uFEFF') ? text.slice(1) : text
  if (withoutMark.trim() === '') {
    throw new CatalogError([{ pointer: '', message: 'the file is empty: start with { "products": [] }' }])
  }
  try {
    return JSON.parse(withoutMark)
  } catch (cause) {
    const found = findSyntaxProblem(withoutMark)
    const message = found
      ? `is not JSON, line ${found.line}, column ${found.column}: ${found.message}`
      : `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new CatalogError([{ pointer: '', message }], { cause })
  }
}

/** The document's frame: checked by hand, since one error there must not hide those inside the products. */
function productsOf(document: unknown): { products: readonly unknown[]; problems: CatalogProblem[] } {
  const problems: CatalogProblem[] = []
  if (!isObject(document)) {
    const message = 'must be an object: { "products": [ … ] }'
    throw new CatalogError([{ pointer: '', message }])
  }
  for (const [key, value] of Object.entries(document)) {
    const pointer = jsonPointer(key)
    if (key === '$schema') {
      if (typeof value !== 'string') problems.push({ pointer, message: 'must be a text in double quotes' })
    } else if (key !== 'products') {
      const message = 'is not a key of the catalog: correct the spelling, or take it out'
      problems.push({ pointer, message })
    }
  }
  const products = Object.hasOwn(document, 'products') ? document.products : undefined
  if (Array.isArray(products)) return { products, problems }
  const message = products === undefined ? 'is missing' : 'must be a list in square brackets'
  problems.push({ pointer: '/products', message })
  return { products: [], problems }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function skuOf(entry: unknown): string | undefined {
  return isObject(entry) && typeof entry.sku === 'string' ? entry.sku : undefined
}

function toProduct(entry: ProductEntry): Product {
  const product: Product = { ...entry, currency: entry.currency ?? 'usd', active: entry.active ?? true }
  // Read here, where there are pauses for other work, and not by the first visitor for all products at once.
  salePeriod(product)
  return deepFreeze(product)
}

function deepFreeze<T extends object>(value: T): T {
  for (const key in value) {
    const part = value[key]
    if (typeof part === 'object' && part !== null) deepFreeze(part)
  }
  return Object.freeze(value)
}
