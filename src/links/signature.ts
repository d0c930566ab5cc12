import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { formatItems, type LinkItems, malformedLink } from './cart.ts'
import type { LinkParameters } from './parameters.ts'

/** Must change with the format of the covered text: no signature may be valid for another format. */
const COVERED_VERSION = 'dots-buy-links/signed-link/1'

/** 96 bits: only the merchant makes signed links, so nobody searches for a collision. */
const LINK_ID_LENGTH = 16

/** A link as it is read: what its path names, and what its query says. */
export interface ReadLink {
  readonly items: LinkItems
  readonly parameters: LinkParameters
}

/** What only a signed link can set. */
export interface SignedTerms {
  /** Price of one unit in integer cents, at least 1. Only for a link with one product. */
  readonly amount?: number
  readonly customerId?: string
  readonly userId?: string
  readonly expiresAt?: Date
  /** How many sales the link allows, at least 1. */
  readonly uses?: number
}

/**
 * The signature of a link: HMAC-SHA256 under the first secret, base64url. Its last character is always a
 * letter or a digit, so no mail program takes it for punctuation.
 * @throws AppError malformed-link where there is no secret.
 */
export function signLink(link: ReadLink, secrets: readonly string[]): string {
  const [secret] = secrets
  if (!secret) throw malformedLink('there is no secret to sign with')
  return mac(coveredText(link), secret)
}

/**
 * Whether the merchant signed this link. Where no secrets are set, every signature is `invalid`. Takes
 * constant time for each secret.
 */
export function verifySignature(
  link: ReadLink,
  secrets: readonly string[],
): 'unsigned' | 'valid' | 'invalid' {
  const { signature } = link.parameters
  if (signature === undefined) return 'unsigned'
  const text = coveredText(link)
  // The texts are compared, not the bytes that they encode: base64 has several texts for the same bytes.
  const given = Buffer.from(signature, 'utf8')
  const matching = secrets.filter((secret) => {
    const expected = Buffer.from(mac(text, secret), 'utf8')
    return secret !== '' && given.length === expected.length && timingSafeEqual(given, expected)
  })
  return matching.length > 0 ? 'valid' : 'invalid'
}

/**
 * A public id of a signed link, 16 URL-safe characters, the same whichever secret signed it and whatever
 * attribution was appended. Meaningful only where `verifySignature` returned `valid`.
 */
export function linkId(link: ReadLink): string {
  return createHash('sha256').update(coveredText(link), 'utf8').digest('base64url').slice(0, LINK_ID_LENGTH)
}

/**
 * Reads what a signed link sets. To be called only where `verifySignature` returned `valid`; the caller
 * compares `expiresAt` with its clock.
 *
 * @throws AppError malformed-link for invalid terms: ignoring them would hide a mistake of the link's author.
 */
export function signedTerms({ items, parameters }: ReadLink): SignedTerms {
  const { amount, customerId, userId, expiresAt, uses } = parameters.signed
  if (customerId !== undefined && userId !== undefined) {
    throw malformedLink('customer_id and user_id exclude each other')
  }
  if (amount !== undefined && items.form === 'permalink' && items.cart.length > 1) {
    throw malformedLink('amount is the price of one product, and the link has several')
  }
  return {
    amount: amount === undefined ? undefined : parsePositive(amount, 'amount'),
    customerId: customerId === undefined ? undefined : parseUuid(customerId, 'customer_id'),
    userId: userId === undefined ? undefined : parseUuid(userId, 'user_id'),
    expiresAt: expiresAt === undefined ? undefined : parseTime(expiresAt),
    uses: uses === undefined ? undefined : parsePositive(uses, 'uses'),
  }
}

/**
 * The text that is signed. The two spellings of one sku, and the aliases of one parameter, have the same
 * text; `tee?quantity=2` and `tee:2` have not, since they are answered differently.
 */
function coveredText({ items, parameters }: ReadLink): string {
  return JSON.stringify([COVERED_VERSION, formatItems(items), [...parameters.covered]])
}

function mac(text: string, secret: string): string {
  return createHmac('sha256', secret).update(text, 'utf8').digest('base64url')
}

function parsePositive(text: string, name: string): number {
  const value = Number(text)
  if (/^[1-9][0-9]*$/.test(text) && Number.isSafeInteger(value)) return value
  throw malformedLink(`${name} is not a whole number of at least 1`)
}

function parseUuid(text: string, name: string): string {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  throw malformedLink(`${name} is not a uuid`)
}

/** Unix seconds, which need no escaping in a URL. Eleven digits last until the year 5138. */
function parseTime(text: string): Date {
  if (/^[1-9][0-9]{0,10}$/.test(text)) return new Date(Number(text) * 1000)
  throw malformedLink('expires_at is not a time in unix seconds')
}
