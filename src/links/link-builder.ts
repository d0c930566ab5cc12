import { type Cart, makeCart, parseItems, printItem, printPermalink } from './cart.ts'
import { resolveContinueTo } from './continue-to.ts'
import { malformedLink } from './malformed-link.ts'
import { type LinkParameters, readParameters } from './parameters.ts'
import { SIGNATURE_PARAMETER, signedTerms, signLink } from './signature.ts'

/** What a link maker may say of the buyer. Quantities stand in the items. */
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

/** Octets that a link may have on its way: UCP 2026-08-25, permalink, recommended budgets. */
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
 * `/buy/tee:2,mug:1` for more. Printed in nothing but characters that mail tools and chat programs leave alone, and never ending
 * in punctuation that they would leave out.
 *
 * What the shop would drop on reading is refused on writing: throws AppError malformed-link.
 */
export function buildLink({ publicUrl, items, parameters = {}, signing }: LinkRequest): string {
  const segment = printSegment(makeCart(items))
  const pairs = [...buyerPairs(parameters), ...(signing ? termPairs(signing) : []), ...visitPairs(parameters)]
  const query = printQuery(pairs)
  const read = { items: parseItems(segment), parameters: readParameters(query) }
  refuseDropped(parameters, read.parameters, publicUrl)
  if (signing) {
    // Nobody could use the link: better the maker hears it than the buyer.
    signedTerms(read)
    pairs.push([SIGNATURE_PARAMETER, signLink(read, signing.secrets)])
  }
  return endPlainly(`${publicUrl.origin}/buy/${segment}${pairs.length > 0 ? `?${printQuery(pairs)}` : ''}`)
}

/** The plain link to a cart as a path of our own origin. Throws AppError malformed-link. */
export function linkPath(items: Cart, publicUrl: URL): string {
  const url = new URL(buildLink({ publicUrl, items }))
  return url.pathname + url.search
}

/** How long a link is in UTF-8 octets, and which budgets it keeps: `print` for QR codes, `campaign` for SMS, `email`. */
export function lengthBudget(link: string): {
  octets: number
  print: boolean
  campaign: boolean
  email: boolean
} {
  const octets = Buffer.byteLength(link, 'utf8')
  return {
    octets,
    print: octets <= LINK_BUDGETS.print,
    campaign: octets <= LINK_BUDGETS.campaign,
    email: octets <= LINK_BUDGETS.email,
  }
}

type Pair = readonly [name: string, value: string]

function printSegment(cart: Cart): string {
  const [first] = cart
  return cart.length === 1 && first?.quantity === 1 ? printItem(first.sku) : printPermalink(cart)
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

function printQuery(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
}

/** RFC 3986's unreserved characters and the slash stay, everything else is escaped: `'()*` end links in mail programs. */
function encode(text: string): string {
  if (!text.isWellFormed()) throw malformedLink('a parameter is not valid text')
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, percent)
    .replaceAll('%2F', '/')
}

/** A full stop at the end of a link is taken for the end of the sentence around it. */
function endPlainly(link: string): string {
  return link.replace(/[._~/-]$/, percent)
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function refuseDropped(wanted: BuyerParameters, read: LinkParameters, publicUrl: URL): void {
  const refuse = (name: string) => {
    throw malformedLink(`${name} can not be used in a link`)
  }
  if (wanted.email !== read.email) refuse('email')
  if (wanted.clientReferenceId !== read.clientReferenceId) refuse('client_reference_id')
  if (!sameEntries(wanted.metadata, read.metadata)) refuse('metadata')
  if (!sameEntries(wanted.attribution, read.attribution)) refuse('attribution')
  const { continueTo } = wanted
  if (continueTo !== read.continueTo) refuse('continue_to')
  if (continueTo !== undefined && resolveContinueTo(continueTo, publicUrl) === undefined)
    refuse('continue_to')
}

function sameEntries(
  wanted: Readonly<Record<string, string>> = {},
  read: Readonly<Record<string, string>>,
): boolean {
  const entries = Object.entries(wanted)
  return entries.length === Object.keys(read).length && entries.every(([key, value]) => read[key] === value)
}
