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
