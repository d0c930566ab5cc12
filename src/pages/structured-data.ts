/**
 * A schema.org description as a data block for the head. Characters that could end the block, or that older
 * parsers take for line ends, are written as JSON escapes, so that no text in the data reaches the HTML parser.
 */
export function structuredData(data: Record<string, unknown>): string {
  const json = JSON.stringify({ '@context': 'https://schema.org', ...data }).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `<script type="application/ld+json">${json}</script>`
}
