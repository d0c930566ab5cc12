import { typingErrors } from '../plain-form.ts'
import type { Catalog } from './catalog.ts'
import { availability, type Product } from './product.ts'

/** A word of one or two letters is in too many names. */
const MIN_WORD_LENGTH = 3
/** Bounds the time: in a catalog of a hundred thousand numbered skus, all of them are nearly alike. */
const MAX_COMPARED = 500
/** A sku that begins in the same way. With enough of them no others are looked for. */
const GOOD_SCORE = 60
/** One letter more, less or another: two of these, or one in a short sku, are a typing error. */
const MAX_TYPING_ERRORS = 2

/**
 * The products on sale whose sku or name is most like the text, the best first. Takes some milliseconds in a catalog of a
 * hundred thousand products.
 */
export function similarProducts(catalog: Catalog, text: string, now: Date, max: number): Product[] {
  const wanted = text.toLowerCase().slice(0, 64)
  const compact = withoutSeparators(wanted)
  if (compact === '') return []
  const words = wanted.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length >= MIN_WORD_LENGTH)
  const most = Math.min(MAX_TYPING_ERRORS, Math.floor(compact.length / 4) + 1)
  let compared = 0

  /** 0 for what is not alike. */
  function likeness(product: Product): number {
    const sku = product.sku.toLowerCase()
    if (sku === wanted) return 100
    if (Math.abs(sku.length - wanted.length) <= MAX_TYPING_ERRORS && compared < MAX_COMPARED) {
      compared += 1
      const errors = typingErrors(withoutSeparators(sku), compact, most)
      if (errors <= most) return 90 - errors * 10
    }
    if (compact.length >= MIN_WORD_LENGTH && (sku.startsWith(wanted) || wanted.startsWith(sku))) {
      return GOOD_SCORE
    }
    const name = words.length === 0 ? '' : product.name.toLowerCase()
    return words.filter((word) => sku.includes(word) || name.includes(word)).length * 10
  }

  const best: { product: Product; score: number }[] = []
  for (const product of catalog.products) {
    const score = likeness(product)
    if (score <= (best.length < max ? 0 : (best.at(-1)?.score ?? 0))) continue
    if (availability(product, now) !== 'available') continue
    const at = best.findIndex((other) => other.score < score)
    best.splice(at < 0 ? best.length : at, 0, { product, score })
    best.length = Math.min(best.length, max)
    if (best.length === max && best.every((one) => one.score >= GOOD_SCORE)) break
  }
  return best.map(({ product }) => product)
}

function withoutSeparators(text: string): string {
  return text.replace(/[^\p{L}\p{N}]+/gu, '')
}
