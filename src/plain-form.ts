const UNSEEN = /[\s\p{C}\p{Variation_Selector}]/gu
const SINGLE_QUOTES = /[‘’‚‛′ʼ＇]/gu
const DOUBLE_QUOTES = /[“”„‟″＂]/gu
/** Most skus: nothing in them has another form. */
const PLAIN = /^[!-~]*$/

/**
 * A sku without what nobody sees or types: Unicode NFC, without white space, control and format characters and variation
 * selectors, typographic quotes as `'` and `"`. Mail and chat programs and word processors change these. Case counts.
 */
export function plainForm(text: string): string {
  if (PLAIN.test(text)) return text
  return text.replace(UNSEEN, '').replace(SINGLE_QUOTES, "'").replace(DOUBLE_QUOTES, '"').normalize('NFC')
}

/** The edit distance (Levenshtein) of two short texts; more than `most` where it is larger than that. */
export function typingErrors(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    if (Math.min(...next) > most) return most + 1
    row = next
  }
  return row[b.length] ?? most + 1
}
