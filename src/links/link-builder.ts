import { isDeepStrictEqual } from 'node:util'
import { buyPath, type Cart, makeCart, malformedLink, shortestItems } from './cart.ts'
import { resolveContinueTo } from './continue-to.ts'
import { PLAIN_ATTRIBUTION, SIGNATURE_PARAMETER } from './parameter-name.ts'
import { type LinkParameters, type Pair, readParameters } from './parameters.ts'
import { readRepaired } from './repair.ts'
import { type SignedTerms, signedTerms, signLink } from './signature.ts'

/** What a link may contain about the buyer and the source of the click. */
export type BuyerParameters = Partial<
  Pick<LinkParameters, 'email' | 'clientReferenceId' | 'metadata' | 'attribution' | 'continueTo'>
>

/** Asks for a signed link. `expiresAt` is rounded down to the second. */
export interface Signing extends SignedTerms {
  /** The first one signs. */
  readonly secrets: readonly string[]
}

interface LinkRequest {
  readonly publicUrl: URL
  readonly items: Cart
  readonly parameters?: BuyerParameters
  readonly signing?: Signing
}

/** Maximum length in characters (links are ASCII): UCP 2026-08-25, permalink, recommended budgets. */
export const LINK_BUDGETS = {
  /** QR codes stay scannable on paper. */
  print: 512,
  /** SMS and campaign tools. */
  campaign: 1024,
  /** Mail programs. */
  email: 2048,
} as const

/**
 * The shortest link with these items and parameters, in canonical form: `/buy/tee` for one unit of one product,
 * `/buy/tee:2` and `/buy/tee:2,mug:1` for more. It holds only characters that mail tools and chat programs do
 * not change, and never ends in punctuation that they would cut off.
 *
 * @throws AppError malformed-link where the service would drop a part of it on reading.
 */
export function buildLink({ publicUrl, items, parameters = {}, signing }: LinkRequest): string {
  const cart = makeCart(items)
  const pairs = toPairs(parameters, signing)
  const link = {
    items: shortestItems(cart),
    parameters: signing ? readParameters(pairs) : readRepaired(pairs),
  }
  refuseDropped(parameters, link.parameters, publicUrl)
  if (signing) {
    // Terms that contradict each other are an error for the link's author here, not for the buyer later.
    signedTerms(link)
    // First, so that a link that has lost its end is a changed one, and not the plain link.
    pairs.unshift([SIGNATURE_PARAMETER, signLink(link, signing.secrets)])
  }
  const url = publicUrl.origin + withQuery(buyPath(cart), encodePairs(pairs))
  // Mail programs do not count punctuation at the end as a part of the link.
  return url.replace(/[._~/-]$/, percent)
}

/** Longer texts would make pages with many links large. In characters. */
const MAX_SAID_LENGTH = 2_048

/**
 * What a link says about the buyer and the click, for the next link or form on the way to its checkout: without a
 * signature, its terms and the quantity.
 */
export function saidBy({ email, clientReferenceId, metadata, attribution }: BuyerParameters): Pair[] {
  return toPairs({ email, clientReferenceId, metadata, attribution })
}

/** Pairs as a query without its `?`; empty where it would be too long for the links of a page. */
export function toQuery(pairs: readonly Pair[]): string {
  const query = encodePairs(pairs)
  return query.length <= MAX_SAID_LENGTH ? query : ''
}

function withQuery(path: string, query: string): string {
  return query === '' ? path : `${path}?${query}`
}

function toPairs(
  { email, clientReferenceId, metadata = {}, attribution = {}, continueTo }: BuyerParameters,
  { amount, customerId, userId, expiresAt, uses }: SignedTerms = {},
): Pair[] {
  const parameters: readonly (readonly [name: string, value: string | number | undefined])[] = [
    ['buyer/email', email],
    ['client_reference_id', clientReferenceId],
    ...Object.entries(metadata)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]): Pair => [`metadata_${key}`, value]),
    ['amount', amount],
    ['customer_id', customerId],
    ['user_id', userId],
    ['expires_at', expiresAt && Math.floor(expiresAt.getTime() / 1000)],
    ['uses', uses],
    ...Object.entries(attribution).map(
      ([key, value]): Pair => [PLAIN_ATTRIBUTION.test(key) ? key : `attribution/${key}`, value],
    ),
    ['continue_to', continueTo],
  ]
  return parameters.flatMap(([name, value]): Pair[] => (value === undefined ? [] : [[name, String(value)]]))
}

function encodePairs(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
}

/** All but the slash and RFC 3986's unreserved characters is escaped: `'()*` end links in mail programs. */
function encode(text: string): string {
  if (!text.isWellFormed()) throw malformedLink('a parameter is not valid text')
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, percent)
    .replaceAll('%2F', '/')
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function refuseDropped(wanted: BuyerParameters, read: LinkParameters, publicUrl: URL): void {
  const { continueTo } = wanted
  const dropped = {
    email: wanted.email !== read.email,
    client_reference_id: wanted.clientReferenceId !== read.clientReferenceId,
    metadata: !isDeepStrictEqual({ ...wanted.metadata }, { ...read.metadata }),
    attribution: !isDeepStrictEqual({ ...wanted.attribution }, { ...read.attribution }),
    continue_to:
      continueTo !== read.continueTo ||
      (continueTo !== undefined && resolveContinueTo(continueTo, publicUrl) === undefined),
  }
  for (const [name, isDropped] of Object.entries(dropped)) {
    if (isDropped) throw malformedLink(`${name} cannot be used in a link`)
  }
}
