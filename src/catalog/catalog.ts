import { createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { plainForm } from '../plain-form.ts'
import { decodeUtf8, NotUtf8 } from '../utf8.ts'
import { entryChecker, isObject } from './entries.ts'
import {
  CatalogError,
  type CatalogProblem,
  describeReadError,
  fileError,
  jsonPointer,
  syntaxError,
  syntaxMistake,
  unknownKey,
} from './problems.ts'
import { availability, type Product } from './product.ts'
import { NotPlain, productTexts } from './split.ts'
import { placeInFile, withPositions, writingProblems } from './writing.ts'

/** What is in it is checked within two milliseconds; then the event loop goes on. */
const CHUNK_BYTES = 64 * 1024

/** The products of one version of the file. It never changes: a new version is a new catalog. */
export class Catalog {
  /** In the order of the file. */
  readonly products: readonly Product[]
  readonly #positions: ReadonlyMap<string, number>
  /** A click looks its product up several times. */
  #last: { text: string; product: Product | undefined } | undefined

  /** Takes both over. `positions` are the places of the products in the list, by the plain forms of their skus. */
  constructor(
    products: readonly Product[],
    positions: ReadonlyMap<string, number> = new Map(
      products.map(({ sku }, index) => [plainForm(sku), index]),
    ),
  ) {
    this.products = products
    this.#positions = positions
  }

  /** The product with exactly this sku. Takes the same time in a catalog of any size. */
  find(sku: string): Product | undefined {
    const product = this.findPlain(sku)
    return product?.sku === sku ? product : undefined
  }

  /** The product whose sku has the same plain form as the text. Takes the same time in a catalog of any size. */
  findPlain(text: string): Product | undefined {
    if (this.#last?.text === text) return this.#last.product
    const position = this.#positions.get(plainForm(text))
    const product = position === undefined ? undefined : this.products[position]
    this.#last = { text, product }
    return product
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
  const { catalog, problems = [] } = await readParts(path, describeWhole)
  if (catalog === undefined) throw new CatalogError(problems)
  return catalog
}

/** One version of the file: its products, or its problems, or neither where the version was known already. */
export interface CatalogVersion {
  /** Tells versions of the content apart; absent where the file cannot be read. */
  digest?: string
  catalog?: Catalog
  problems?: readonly CatalogProblem[]
}

/**
 * Reads a catalog file, and checks it unless its digest is among the known ones. The event loop goes on in between.
 * `describe` finds out what is wrong with a file that is no list of products.
 */
export async function readVersion(
  path: string,
  known: readonly (string | undefined)[] = [],
  describe: DescribeFile = describeWhole,
): Promise<CatalogVersion> {
  let digest: string | undefined
  try {
    digest = await digestOf(path)
    return known.includes(digest) ? { digest } : { digest, ...(await readParts(path, describe)) }
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    return { digest, problems: error.problems }
  }
}

type DescribeFile = (path: string) => Promise<readonly CatalogProblem[]>

/** The problems of a file, all of it at once. */
export async function describeWhole(path: string): Promise<readonly CatalogProblem[]> {
  try {
    const text = await textOf(path)
    // Not from JSON.parse, which would need as much memory as the whole catalog before it finds the mistake.
    const mistake = text.trim() === '' ? undefined : syntaxMistake(text)
    if (mistake !== undefined) return [mistake]
    parseCatalog(text)
    return []
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    return error.problems
  }
}

/**
 * Reads a file a chunk at a time, so that a large one needs little memory beside its products, and the event loop goes on.
 * @throws CatalogError where the file cannot be read.
 */
async function readParts(path: string, describe: DescribeFile): Promise<Omit<CatalogVersion, 'digest'>> {
  const checker = entryChecker()
  try {
    for await (const entries of productTexts(chunksOf(path))) {
      for (const written of entries) checker.check(parseEntry(written.text), written)
      await setImmediate()
    }
  } catch (error) {
    if (!(error instanceof NotPlain)) throw error
    const problems = await describe(path)
    // Few files are valid all the same: one without products, for example.
    return problems.length > 0 ? { problems } : { catalog: parseCatalog(await textOf(path)) }
  }
  if (checker.problems.length > 0) return { problems: await placeInFile(chunksOf(path), checker.problems) }
  return { catalog: new Catalog(checker.products, checker.positions) }
}

/** @throws NotPlain for what is not JSON. */
function parseEntry(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new NotPlain()
  }
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash('sha256')
  for await (const chunk of chunksOf(path)) digest.update(chunk)
  return digest.digest('base64')
}

/** A chunk is overwritten by the next one. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  try {
    await using file = await open(path)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
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
  const written = writingProblems(text).map((problem) => {
    const entry = entries[Number(/^\/products\/(\d+)/.exec(problem.pointer)?.[1])]
    return isObject(entry) && typeof entry.sku === 'string' ? { ...problem, sku: entry.sku } : problem
  })
  const checker = entryChecker([...written, ...problems])
  for (const entry of entries) checker.check(entry)
  if (checker.problems.length > 0) throw new CatalogError(withPositions(text, checker.problems))
  return new Catalog(checker.products, checker.positions)
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
    if (key !== 'products')
      problems.push({ pointer: jsonPointer(key), message: unknownKey(key, ['products']) })
  }
  const { products } = others
  if (Array.isArray(products)) return { entries: products, problems }
  const message = products === undefined ? 'is missing' : 'must be a list in square brackets'
  return { entries: [], problems: [...problems, { pointer: '/products', message }] }
}
