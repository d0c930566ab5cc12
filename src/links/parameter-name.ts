/** Name of the query parameter that carries the signature. */
export const SIGNATURE_PARAMETER = 'link_signature'

/** The names under which a parameter may come, by its canonical name. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  quantity: ['quantity', 'qty'],
  'buyer/email': ['buyer/email', 'prefilled_email', 'customer_email', 'email', 'checkout[email]'],
  client_reference_id: ['client_reference_id', 'reference_id'],
  continue_to: ['continue_to'],
  [SIGNATURE_PARAMETER]: [SIGNATURE_PARAMETER],
  amount: ['amount'],
  customer_id: ['customer_id'],
  user_id: ['user_id'],
  expires_at: ['expires_at'],
  uses: ['uses'],
  'attribution/utm_source': ['utm_source'],
  'attribution/utm_medium': ['utm_medium'],
  'attribution/utm_campaign': ['utm_campaign'],
  'attribution/utm_term': ['utm_term'],
  'attribution/utm_content': ['utm_content'],
  'attribution/ref': ['ref'],
}

const CANONICAL = new Map(
  Object.entries(ALIASES).flatMap(([canonical, aliases]) =>
    aliases.map((alias) => [alias, canonical] as const),
  ),
)

const KEYED_FORMS: readonly (readonly [pattern: RegExp, prefix: string])[] = [
  [/^metadata_(.+)$/su, 'metadata_'],
  [/^metadata\[([^[\]]+)\]$/u, 'metadata_'],
  [/^checkout\[custom\]\[([^[\]]+)\]$/u, 'metadata_'],
  [/^attribution\/([A-Za-z0-9_.-]+)$/u, 'attribution/'],
]

/** Parameters of the sale itself. Attribution is left out, since mail tools append it to links that they send. */
const SALE_NAMES: ReadonlySet<string> = new Set([
  'quantity',
  'buyer/email',
  'client_reference_id',
  'amount',
  'customer_id',
  'user_id',
  'expires_at',
  'uses',
])

/**
 * The one name of a parameter, whatever alias it came under: `metadata_KEY` and `attribution/KEY` for the open-ended
 * ones, `undefined` for everything that a buy link has no use for.
 *
 * A leading slash is dropped, as the permalink standard's names are JSON Pointers; so is the `amp;` that remains of a
 * `&amp;` that was escaped once too often.
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
  return SALE_NAMES.has(canonical) || canonical.startsWith('metadata_')
}
