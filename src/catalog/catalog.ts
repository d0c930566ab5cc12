import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { plainForm } from '../plain-form.ts'
import { decodeUtf8, NotUtf8 } from '../utf8.ts'
import {
  CatalogError,
  type CatalogProblem,
  contradictions,
  describeReadError,
  fileError,
  isProductEntry,
  jsonPointer,
  schemaProblems,
  syntaxError,
  UNKNOWN_KEY,
  withPositions,
} from './problems.ts'
import { availability, type Product, toProduct } from './product.ts'
import { NotPlain, productTexts } from './split.ts'

/** Large enough to be quick, and small beside the products. */
const CHUNK_BYTES = 256 * 1024
/** Beyond this they hardly repeat. */
const MAX_SHARED_PARTS = 10_000

/** The products of one version of the file. It never changes: a new version is a new catalog. */
export class Catalog {
  /** In the order of the file. */
  readonly products: readonly Product[]
  readonly #bySku: ReadonlyMap<string, Product>
  /** Only the skus that are not their own plain form. */
  readonly #byPlainForm: ReadonlyMap<string, Product>

  /** Takes the list over and freezes it. The skus must differ from one another, as `parseCatalog` ensures. */
  constructor(
    products: readonly Product[],
    bySku: ReadonlyMap<string, Product> = new Map(
      products.map((product) => [product.sku, deepFreeze(product)]),
    ),
  ) {
    this.products = Object.freeze(products)
    this.#bySku = bySku
    const others = products.filter(({ sku }) => plainForm(sku) !== sku)
    this.#byPlainForm = new Map(others.map((product) => [plainForm(product.sku), product]))
  }

  /** The product with exactly this sku. Takes the same time in a catalog of any size. */
  find(sku: string): Product | undefined {
    return this.#bySku.get(sku)
  }

  /** The product whose sku has the same plain form as the text. Takes the same time in a catalog of any size. */
  findPlain(text: string): Product | undefined {
    const plain = plainForm(text)
    return this.#bySku.get(plain) ?? this.#byPlainForm.get(plain)
  }

  /** The products that can be bought at that moment, in the order of the file: 3 ms for a hundred thousand. */
  onSale(now: Date): readonly Product[] {
    return this.products.filter((product) => availability(product, now) === 'available')
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
  const products: Product[] = []
  for await (const some of productsOf(path)) products.push(...some)
  return new Catalog(products)
}

/** One version of the file: its products, or its problems, or neither where the version was known already. */
export interface CatalogVersion {
  /** Tells versions of the content apart; absent where the file cannot be read. */
  digest?: string
  catalog?: Catalog
  problems?: readonly CatalogProblem[]
}

/** Reads a catalog file, and checks it unless its digest is among the known ones. */
export async function readVersion(
  path: string,
  known: readonly (string | undefined)[] = [],
): Promise<CatalogVersion> {
  const products: Product[] = []
  const version = await takeVersion(path, known, async (some) => void products.push(...some))
  const isNew = version.problems === undefined && !known.includes(version.digest)
  return isNew ? { ...version, catalog: new Catalog(products) } : version
}

/** Like `readVersion`, with `take` for the products of a new version: some at a time, until there is a problem. */
export async function takeVersion(
  path: string,
  known: readonly (string | undefined)[],
  take: (products: readonly Product[]) => Promise<void>,
): Promise<Omit<CatalogVersion, 'catalog'>> {
  let digest: string | undefined
  try {
    digest = await digestOf(path)
    if (known.includes(digest)) return { digest }
    for await (const products of productsOf(path)) await take(products)
    return { digest }
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    return { digest, problems: error.problems }
  }
}

/**
 * The products of a file, a chunk of it at a time, so that a large file needs little memory beside them.
 * @throws CatalogError with every problem, after the products before the first one.
 */
async function* productsOf(path: string): AsyncGenerator<readonly Product[]> {
  const checker = entryChecker()
  const parts = new Map<string, unknown>()
  try {
    for await (const texts of productTexts(chunksOf(path))) {
      const products = texts.flatMap((text) => checker.check(parseEntry(text, parts)) ?? [])
      if (checker.problems.length === 0) yield products
      if (parts.size > MAX_SHARED_PARTS) parts.clear()
    }
  } catch (error) {
    if (!(error instanceof NotPlain)) throw error
    const text = await textOf(path)
    if (error.cause !== undefined) throw syntaxError(text, error.cause)
    const { products } = parseCatalog(text)
    if (checker.count > 0) throw fileError('has two lists of products, or was changed while it was read')
    yield products
  }
  if (checker.problems.length > 0) throw new CatalogError(withPositions(await textOf(path), checker.problems))
}

/** @throws NotPlain with its cause for what is not JSON. */
function parseEntry(text: string, parts: Map<string, unknown>): unknown {
  try {
    const entry: unknown = JSON.parse(text)
    shareParts(entry, parts)
    return entry
  } catch (cause) {
    throw new NotPlain('', { cause })
  }
}

/** Makes one object of equal parts, such as the limits of most products: a fifth of the memory that a catalog takes. */
function shareParts(entry: unknown, parts: Map<string, unknown>): void {
  if (!isObject(entry)) return
  for (const [key, part] of Object.entries(entry)) {
    if (!isObject(part)) continue
    const text = JSON.stringify(part)
    const known = parts.get(text)
    if (known === undefined) parts.set(text, part)
    else entry[key] = known
  }
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash('sha256')
  for await (const chunk of chunksOf(path)) digest.update(chunk)
  return digest.digest('base64')
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK_BYTES })
  } catch (cause) {
    throw fileError(describeReadError(path, cause), cause)
  }
}

/** The whole file as text. */
async function textOf(path: string): Promise<string> {
  // Not from chunks: to join them would take the memory twice.
  const bytes = await readFile(path).catch((cause) => {
    throw fileError(describeReadError(path, cause), cause)
  })
  try {
    return decodeUtf8(bytes)
  } catch (error) {
    throw error instanceof NotUtf8 ? fileError(`the file ${error.message}`, error) : error
  }
}

/**
 * Checks a catalog's text, all of it in one go.
 * @throws CatalogError with every problem.
 */
export function parseCatalog(text: string): Catalog {
  const { entries, problems } = entriesOf(parseJson(text))
  const checker = entryChecker(problems)
  const products = entries.flatMap((entry) => checker.check(entry) ?? [])
  if (problems.length > 0) throw new CatalogError(withPositions(text, problems))
  return new Catalog(products)
}

/** Checks the entries of a list, one after the other; adds what is wrong to `problems`. */
function entryChecker(problems: CatalogProblem[] = []) {
  const firstWithSku = new Map<unknown, number>()
  let count = 0
  return {
    problems,
    /** How many entries were checked. */
    get count() {
      return count
    },
    /** The product; undefined where the schema refuses the entry. */
    check(entry: unknown): Product | undefined {
      const index = count
      count += 1
      const pointer = `/products/${index}`
      if (isObject(entry)) {
        const { sku } = entry
        const first = firstWithSku.get(sku)
        if (typeof sku === 'string') firstWithSku.set(sku, first ?? index)
        if (!isProductEntry(entry)) problems.push(...schemaProblems(entry, pointer))
        problems.push(...contradictions(entry, pointer))
        if (first !== undefined) {
          const message = `${JSON.stringify(sku)} is also the sku at /products/${first}/sku: change one`
          problems.push({ pointer: `${pointer}/sku`, message })
        }
      } else {
        problems.push(...schemaProblems(entry, pointer))
      }
      return isProductEntry(entry) ? toProduct(entry) : undefined
    },
  }
}

function parseJson(text: string): unknown {
  if (text.trim() === '') throw fileError('the file is empty: start with { "products": [] }')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw syntaxError(text, cause)
  }
}

/** The top level of the file. It is checked by hand, since an error there must not hide those in the products. */
function entriesOf(document: unknown): { entries: readonly unknown[]; problems: CatalogProblem[] } {
  if (!isObject(document)) {
    return { entries: [], problems: [{ pointer: '', message: 'must be an object: { "products": [ … ] }' }] }
  }
  const problems: CatalogProblem[] = []
  const { $schema = '', ...others } = document
  if (typeof $schema !== 'string') {
    problems.push({ pointer: '/$schema', message: 'must be a text in double quotes' })
  }
  for (const key of Object.keys(others)) {
    if (key !== 'products') problems.push({ pointer: jsonPointer(key), message: UNKNOWN_KEY })
  }
  const { products } = others
  if (Array.isArray(products)) return { entries: products, problems }
  const message = products === undefined ? 'is missing' : 'must be a list in square brackets'
  return { entries: [], problems: [...problems, { pointer: '/products', message }] }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Freezes a value with all its parts. */
export function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part)
  }
  return Object.freeze(value)
}
