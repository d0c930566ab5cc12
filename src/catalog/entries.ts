import { plainForm } from '../plain-form.ts'
import { type CatalogProblem, contradictions, isProductEntry, schemaProblems } from './problems.ts'
import { type Product, toProduct } from './product.ts'
import type { EntryText } from './split.ts'
import { type EntryProblem, placeInEntry, writingProblems } from './writing.ts'

/**
 * Checks the entries of the list, one after the other, and makes products of them. `problems` are those that are known
 * already; what is wrong is added to them. Only without any is the result a catalog.
 */
export function entryChecker(problems: EntryProblem[] = []) {
  const products: Product[] = []
  /** Of the first entry with a sku, by its plain form. */
  const positions = new Map<string, number>()
  const known = new Set(problems.map(({ pointer }) => pointer))
  let count = 0

  /** `written` is the entry as it stands in a file that is read in parts. */
  function check(entry: unknown, written?: EntryText): void {
    const isUsual = written === undefined || (!written.isUnusual && written.keyCount === countKeys(entry))
    const isSound = isUsual && isProductEntry(entry) && contradictions(entry, '').length === 0
    const found = isSound && !positions.has(plainForm(entry.sku)) ? [] : problemsOf(entry, written)
    if (found.length > 0) problems.push(...found)
    else if (isProductEntry(entry)) {
      positions.set(plainForm(entry.sku), count)
      products.push(toProduct(isUsual && written ? entry : withPlainLines(entry)))
    }
    count += 1
  }

  function problemsOf(entry: unknown, written?: EntryText): EntryProblem[] {
    const pointer = `/products/${count}`
    const found: CatalogProblem[] = written ? writingProblems(written.text, pointer) : []
    for (const problem of found) known.add(problem.pointer)
    if (!isProductEntry(entry)) {
      // How a value is written says more than which rule it breaks.
      found.push(...schemaProblems(entry, pointer).filter((problem) => !known.has(problem.pointer)))
    }
    const sku = isObject(entry) ? entry.sku : undefined
    if (isObject(entry)) found.push(...contradictions(entry, pointer))
    if (typeof sku !== 'string') return written ? placeInEntry(written, found, pointer) : found
    const first = positions.get(plainForm(sku))
    if (first !== undefined) found.push({ pointer: `${pointer}/sku`, message: sameSku(sku, first) })
    else if (found.length > 0) positions.set(plainForm(sku), count)
    const named = found.map((problem) => ({ ...problem, sku }))
    return written ? placeInEntry(written, named, pointer) : named
  }

  return { check, problems, products, positions }
}

function sameSku(sku: string, first: number): string {
  const rule = `is also the sku at /products/${first}/sku, or looks like it (accents, quotes and invisible characters`
  return `${JSON.stringify(sku)} ${rule} are written in several ways): change one`
}

/** How many keys a value has, at all depths. */
function countKeys(value: unknown): number {
  let count = 0
  if (Array.isArray(value)) {
    for (const part of value) if (typeof part === 'object') count += countKeys(part)
  } else if (isObject(value)) {
    for (const key in value) {
      const part = value[key]
      count += typeof part === 'object' ? 1 + countKeys(part) : 1
    }
  }
  return count
}

/** A value with LF for CR LF in its texts. */
function withPlainLines<Value>(value: Value): Value {
  const json = JSON.stringify(value)
  if (!json.includes('\\r\\n')) return value
  return JSON.parse(json, (_key, part) => (typeof part === 'string' ? part.replaceAll('\r\n', '\n') : part))
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
