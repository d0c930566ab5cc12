/** Name of the query parameter that carries the signature. */
export const SIGNATURE_PARAMETER = 'link_signature'

/**
 * Parameters of the sale itself, each with its aliases. These and `metadata_…` are what a signature covers;
 * it does not cover attribution, since mail tools append that to links.
 */
const SALE_PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  quantity: ['qty'],
  'buyer/email': ['prefilled_email', 'customer_email', 'email', 'checkout[email]'],
  client_reference_id: ['reference_id'],
  amount: [],
  customer_id: [],
  user_id: [],
  expires_at: [],
  uses: [],
}

const CANONICAL = new Map(
  Object.entries({ ...SALE_PARAMETERS, continue_to: [], [SIGNATURE_PARAMETER]: [] }).flatMap(
    ([canonical, aliases]) => [canonical, ...aliases].map((name) => [name, canonical] as const),
  ),
)

/** The attribution parameters that may be spelled without the standard's `attribution/`. */
export const PLAIN_ATTRIBUTION = /^(utm_(?:source|medium|campaign|term|content)|ref)$/

const KEYED_FORMS: readonly (readonly [pattern: RegExp, prefix: string])[] = [
  [/^metadata_(.+)$/su, 'metadata_'],
  [/^metadata\[([^[\]]+)\]$/u, 'metadata_'],
  [/^checkout\[custom\]\[([^[\]]+)\]$/u, 'metadata_'],
  [/^attribution\/([A-Za-z0-9_.-]+)$/u, 'attribution/'],
  [PLAIN_ATTRIBUTION, 'attribution/'],
]

/** A regular expression for any of these names, for finding one inside a damaged value. */
export const KNOWN_NAME = [
  ...[...CANONICAL.keys()].map((name) => name.replace(/[[\]]/g, '\\$&')),
  'metadata_[^=&?;\\s]+',
  '(?:metadata|checkout\\[custom\\])\\[[^[\\]]+\\]',
  'attribution/[A-Za-z0-9_.-]+',
  'utm_(?:source|medium|campaign|term|content)',
  'ref',
].join('|')

/**
 * The one name of a parameter, whatever alias it came under: `metadata_KEY` and `attribution/KEY` for the
 * open-ended ones, `undefined` for those that a buy link does not use.
 *
 * A leading slash is dropped, as the permalink standard's names are JSON Pointers; so is the `amp;` that
 * remains of a `&amp;` that was escaped once too often.
 */
export function canonicalName(name: string): string | undefined {
  const bare = name.replace(/^(?:amp;)+/i, '').replace(/^\//, '')
  const known = CANONICAL.get(bare)
  if (known !== undefined) return known
  for (const [pattern, prefix] of KEYED_FORMS) {
    const key = pattern.exec(bare)?.[1]
    if (key !== undefined) return `${prefix}${key}`
  }
  return undefined
}

/** Whether a signature covers this canonical name: what is sold, to whom, for how much, until when. */
export function isCovered(canonical: string): boolean {
  return Object.hasOwn(SALE_PARAMETERS, canonical) || canonical.startsWith('metadata_')
}
