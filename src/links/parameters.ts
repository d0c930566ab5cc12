import {
  FORBIDDEN_METADATA_KEY,
  isOwnMetadataKey,
  MAX_METADATA_KEY_LENGTH,
  MAX_METADATA_KEYS,
  MAX_METADATA_VALUE_LENGTH,
} from '../metadata.ts'
import { canonicalName, isCovered, SIGNATURE_PARAMETER } from './parameter-name.ts'
import { isUnfilled } from './placeholders.ts'

/** One `name=value` of a query or a form, decoded. */
export type Pair = readonly [name: string, value: string]

/** How many units the link asks for; the product's limits are checked later. */
type QuantityParameter =
  | { readonly kind: 'absent' }
  /** `near`: the number that it means, where it is one that nobody can buy: 2.5, -1, 1e30. */
  | { readonly kind: 'invalid'; readonly near?: number }
  | { readonly kind: 'given'; readonly value: number }

/** Used instead of two different values of one parameter. It passes no check for a signature, number, id or time. */
export const CONFLICTING = 'conflicting'

/** The parameters of a buy link's query and form. Each is checked, and what cannot be used is left out. */
export interface LinkParameters {
  readonly quantity: QuantityParameter
  readonly email?: string
  readonly clientReferenceId?: string
  /** The URL's `metadata_…`, without prefixes. No prototype, keys sorted. */
  readonly metadata: Readonly<Record<string, string>>
  /** `utm_…`, `ref` and `attribution/…` under their plain names. No prototype, keys sorted. */
  readonly attribution: Readonly<Record<string, string>>
  /** Decoded, not yet checked: see `resolveContinueTo`. */
  readonly continueTo?: string
  /** Unchecked: only `signedTerms` may read it, once the signature was verified. */
  readonly signed: Readonly<
    Partial<Record<'amount' | 'customerId' | 'userId' | 'expiresAt' | 'uses', string>>
  >
  /** `CONFLICTING` where the link carries two. */
  readonly signature?: string
  /** What a signature covers: all values by canonical name, also invalid and contradictory ones. Sorted. */
  readonly covered: ReadonlyMap<string, readonly string[]>
}

/** No legitimate link has nearly as many; it bounds the work of one request. Later pairs are not read. */
export const MAX_PAIRS = 256

/** `2`, and as spreadsheets and people write it: `02`, `2.0`, `2,00`; not `2.000`, which may be two thousand. */
const WHOLE_NUMBER = /^[0-9]+(?:[.,]00?)?$/
const NUMBER = /^[+-]?[0-9]*[.,]?[0-9]+(?:e[+-]?[0-9]{1,3})?$/i
const CLIENT_REFERENCE_ID = /^[A-Za-z0-9_-]{1,200}$/
/** Line breaks could forge log lines; U+FFFD is what a decoder makes of invalid UTF-8. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\uFFFD]/u

/** RFC 5321 4.5.3.1: a path holds 256 octets, two of them the angle brackets. */
const MAX_EMAIL_LENGTH = 254
/** RFC 5321 4.5.3.1.1. */
const MAX_LOCAL_LENGTH = 64
/** As for HTML's `<input type=email>`, but with a dot in the domain and no dots in a row or at the ends. */
const EMAIL_LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const EMAIL_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

/** All values that came under one canonical name, each once. */
type Given = ReadonlyMap<string, ReadonlySet<string>>

/**
 * Splits a raw query string and a urlencoded body into pairs, the query's first, at most `MAX_PAIRS`. Invalid
 * percent escapes stay as they are, invalid UTF-8 becomes U+FFFD. Never throws.
 * Source: WHATWG URL, application/x-www-form-urlencoded.
 */
export function queryPairs(rawQuery: string, body = ''): Pair[] {
  const query = splitPairs(rawQuery.replace(/^\?/, ''), MAX_PAIRS)
  return [...query, ...splitPairs(body, MAX_PAIRS - query.length)]
}

/**
 * Reads pairs as one set: neither their order nor the alias of a name matters. Equal values count once;
 * different ones make the parameter absent, and the quantity invalid. Empty values and placeholders that a mail tool left
 * unfilled are absent too. Invalid values are dropped, never cut. Never throws.
 */
export function readParameters(pairs: Iterable<Pair>): LinkParameters {
  const given = collect(pairs)
  return {
    quantity: readQuantity(given),
    email: singleValue(given, 'buyer/email', isEmail),
    clientReferenceId: singleValue(given, 'client_reference_id', (id) => CLIENT_REFERENCE_ID.test(id)),
    metadata: readKeyed(given, 'metadata_'),
    attribution: readKeyed(given, 'attribution/'),
    continueTo: singleValue(given, 'continue_to'),
    signed: {
      amount: rawValue(given, 'amount'),
      customerId: rawValue(given, 'customer_id'),
      userId: rawValue(given, 'user_id'),
      expiresAt: rawValue(given, 'expires_at'),
      uses: rawValue(given, 'uses'),
    },
    signature: rawValue(given, SIGNATURE_PARAMETER),
    covered: readCovered(given),
  }
}

/**
 * The fields of a form that is posted to the same link: the signature, all that it covers, unchanged, and the
 * attribution. `readParameters` reads them back as the same parameters, without `continueTo`.
 */
export function formFields({ covered, attribution, signature }: LinkParameters): Pair[] {
  return [
    ...(signature === undefined ? [] : [[SIGNATURE_PARAMETER, signature] as const]),
    ...[...covered].flatMap(([name, values]) => values.map((value): Pair => [name, value])),
    ...Object.entries(attribution).map(([name, value]): Pair => [`attribution/${name}`, value]),
  ]
}

/** The query of a URL as it came: after decoding, `+` and a space would be the same. */
export function rawQuery(url: string): string {
  const at = url.indexOf('?')
  return at === -1 ? '' : url.slice(at + 1)
}

function splitPairs(text: string, limit: number): Pair[] {
  return text.split('&', limit).flatMap((piece) => [...new URLSearchParams(piece)])
}

function collect(pairs: Iterable<Pair>): Given {
  const given = new Map<string, Set<string>>()
  for (const [name, text] of pairs) {
    const canonical = canonicalName(name)
    if (canonical === undefined) continue
    // Before it is compared or signed, so that a mail tool's `+` for `%2B` changes neither.
    const value = canonical === 'buyer/email' ? restoreEmail(text) : text
    given.set(canonical, (given.get(canonical) ?? new Set()).add(value))
  }
  return given
}

/** The one value under a name; `undefined` where there is none, an unusable one, or two that differ. */
function singleValue(
  given: Given,
  name: string,
  isUsable: (value: string) => boolean = () => true,
): string | undefined {
  const [value, ...more] = filledIn(given, name).filter((text) => !text.includes('\uFFFD'))
  return value !== undefined && more.length === 0 && isUsable(value) ? value : undefined
}

/** The values under a name that say something. */
function filledIn(given: Given, name: string): string[] {
  return [...(given.get(name) ?? [])].filter((text) => text.trim() !== '' && !isUnfilled(text))
}

/** The one value under a name, unchecked; `CONFLICTING` where there are two. */
function rawValue(given: Given, name: string): string | undefined {
  const [value, ...more] = given.get(name) ?? []
  return more.length === 0 ? value : CONFLICTING
}

function readQuantity(given: Given): QuantityParameter {
  const texts = filledIn(given, 'quantity').map((text) => text.trim())
  if (texts.length === 0) return { kind: 'absent' }
  const numbers = texts.map((text) => (NUMBER.test(text) ? Number(text.replace(',', '.')) : Number.NaN))
  const [value = Number.NaN, ...more] = new Set(numbers)
  if (more.length > 0 || Number.isNaN(value)) return { kind: 'invalid' }
  return texts.every((text) => WHOLE_NUMBER.test(text)) && Number.isSafeInteger(value)
    ? { kind: 'given', value }
    : { kind: 'invalid', near: value }
}

function readKeyed(given: Given, prefix: string): Record<string, string> {
  const found: Pair[] = []
  for (const name of given.keys()) {
    if (!name.startsWith(prefix)) continue
    const key = name.slice(prefix.length)
    const value = singleValue(given, name, isUsableValue)
    if (value !== undefined && isUsableKey(key)) found.push([key, value])
  }
  // Sorted before it is bounded, so that the order in the URL does not decide what is kept.
  found.sort(([a], [b]) => (a < b ? -1 : 1))
  const record: Record<string, string> = Object.create(null)
  for (const [key, value] of found.slice(0, MAX_METADATA_KEYS)) record[key] = value
  return record
}

function isUsableKey(key: string): boolean {
  if (key.trim() === '' || key.length > MAX_METADATA_KEY_LENGTH || UNPRINTABLE.test(key)) return false
  return key !== FORBIDDEN_METADATA_KEY && !isOwnMetadataKey(key)
}

function isUsableValue(value: string): boolean {
  return value.length <= MAX_METADATA_VALUE_LENGTH && !UNPRINTABLE.test(value)
}

function readCovered(given: Given): ReadonlyMap<string, readonly string[]> {
  const names = [...given.keys()].filter(isCovered).sort()
  return new Map(names.map((name) => [name, [...(given.get(name) ?? [])].sort()]))
}

/** Strict: without an email the buyer has to type it, but with an email that Dots refuses the sale fails. */
function isEmail(text: string): boolean {
  if (text.length > MAX_EMAIL_LENGTH) return false
  const [local = '', domain = '', ...more] = text.split('@')
  if (more.length > 0 || local.length > MAX_LOCAL_LENGTH || !EMAIL_LOCAL.test(local)) return false
  const labels = domain.split('.')
  return labels.length >= 2 && labels.every((label) => EMAIL_LABEL.test(label))
}

/** Trims an email, and turns blanks before the `@` back into the `+` that a query decoder has changed. */
function restoreEmail(text: string): string {
  const trimmed = text.trim()
  const at = trimmed.indexOf('@')
  return at < 0 ? trimmed : trimmed.slice(0, at).replaceAll(' ', '+') + trimmed.slice(at)
}
