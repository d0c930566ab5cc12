import { buyPath, type Cart, makeCart, malformedLink, shortestItems } from './cart.ts'
import { resolveContinueTo } from './continue-to.ts'
import { SIGNATURE_PARAMETER } from './parameter-name.ts'
import { type LinkParameters, type Pair, readParameters } from './parameters.ts'
import { signedTerms, signLink } from './signature.ts'

/** What a link maker may say about the buyer; quantities belong to the items. */
export interface BuyerParameters {
  readonly email?: string
  readonly clientReferenceId?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** `utm_source` and the like, by their plain names. */
  readonly attribution?: Readonly<Record<string, string>>
  /** A path of our own origin, where the buyer goes instead of straight to the checkout. */
  readonly continueTo?: string
}

/** Asks for a signed link, with terms that only such a link can carry. */
export interface Signing {
  /** The first one signs. */
  readonly secrets: readonly string[]
  /** Integer cents for one unit; only with one product. */
  readonly amount?: number
  readonly customerId?: string
  readonly userId?: string
  /** Rounded down to the second. */
  readonly expiresAt?: Date
  readonly uses?: number
}

export interface LinkRequest {
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

/** The attribution parameters that a link spells by their plain names; others take the standard's `attribution/`. */
const PLAIN_ATTRIBUTION = /^(?:utm_(?:source|medium|campaign|term|content)|ref)$/

/**
 * The shortest link that says all this, in canonical form: `/buy/tee` for one piece of one product, `/buy/tee:2` and
 * `/buy/tee:2,mug:1` for more. It holds only characters that mail tools and chat programs do not change, and never ends
 * in punctuation that they would cut off.
 *
 * @throws AppError malformed-link where the service would drop a part of it on reading.
 */
export function buildLink({ publicUrl, items, parameters = {}, signing }: LinkRequest): string {
  const cart = makeCart(items)
  const pairs = [...buyerPairs(parameters), ...(signing ? termPairs(signing) : []), ...visitPairs(parameters)]
  const link = { items: shortestItems(cart), parameters: readParameters(pairs) }
  refuseDropped(parameters, link.parameters, publicUrl)
  if (signing) {
    // Terms that contradict each other would make a link that nobody can use: the maker gets the error, not the buyer.
    signedTerms(link)
    pairs.push([SIGNATURE_PARAMETER, signLink(link, signing.secrets)])
  }
  const query = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
  return endPlainly(`${publicUrl.origin}${buyPath(cart)}${query === '' ? '' : `?${query}`}`)
}

/** How many characters a link has, and which budgets it keeps: `print` for QR codes, `campaign` for SMS, `email`. */
export function lengthBudget(link: string) {
  const characters = link.length
  return {
    characters,
    print: characters <= LINK_BUDGETS.print,
    campaign: characters <= LINK_BUDGETS.campaign,
    email: characters <= LINK_BUDGETS.email,
  }
}

function buyerPairs({ email, clientReferenceId, metadata = {} }: BuyerParameters): Pair[] {
  const pairs: Pair[] = Object.entries(metadata).map(([key, value]) => [`metadata_${key}`, value])
  pairs.sort(([a], [b]) => (a < b ? -1 : 1))
  if (clientReferenceId !== undefined) pairs.unshift(['client_reference_id', clientReferenceId])
  if (email !== undefined) pairs.unshift(['buyer/email', email])
  return pairs
}

function termPairs({ amount, customerId, userId, expiresAt, uses }: Signing): Pair[] {
  const pairs: Pair[] = []
  if (amount !== undefined) pairs.push(['amount', String(amount)])
  if (customerId !== undefined) pairs.push(['customer_id', customerId])
  if (userId !== undefined) pairs.push(['user_id', userId])
  if (expiresAt !== undefined) pairs.push(['expires_at', String(Math.floor(expiresAt.getTime() / 1000))])
  if (uses !== undefined) pairs.push(['uses', String(uses)])
  return pairs
}

function visitPairs({ attribution = {}, continueTo }: BuyerParameters): Pair[] {
  const pairs: Pair[] = Object.entries(attribution).map(([key, value]) => [
    PLAIN_ATTRIBUTION.test(key) ? key : `attribution/${key}`,
    value,
  ])
  if (continueTo !== undefined) pairs.push(['continue_to', continueTo])
  return pairs
}

/** RFC 3986's unreserved characters and the slash stay, the rest is escaped: `'()*` end links in mail programs. */
function encode(text: string): string {
  if (!text.isWellFormed()) throw malformedLink('a parameter is not valid text')
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, percent)
    .replaceAll('%2F', '/')
}

/** Mail programs take a full stop at the end of a link for the end of the sentence around it. */
function endPlainly(link: string): string {
  return link.replace(/[._~/-]$/, percent)
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function refuseDropped(wanted: BuyerParameters, read: LinkParameters, publicUrl: URL): void {
  const { continueTo } = wanted
  const dropped = {
    email: wanted.email !== read.email,
    client_reference_id: wanted.clientReferenceId !== read.clientReferenceId,
    metadata: !sameEntries(wanted.metadata, read.metadata),
    attribution: !sameEntries(wanted.attribution, read.attribution),
    continue_to:
      continueTo !== read.continueTo ||
      (continueTo !== undefined && resolveContinueTo(continueTo, publicUrl) === undefined),
  }
  for (const [name, isDropped] of Object.entries(dropped)) {
    if (isDropped) throw malformedLink(`${name} cannot be used in a link`)
  }
}

function sameEntries(
  wanted: Readonly<Record<string, string>> = {},
  read: Readonly<Record<string, string>>,
): boolean {
  const entries = Object.entries(wanted)
  return entries.length === Object.keys(read).length && entries.every(([key, value]) => read[key] === value)
}
