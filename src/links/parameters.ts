import {
  FORBIDDEN_METADATA_KEY,
  isOwnMetadataKey,
  MAX_METADATA_KEY_LENGTH,
  MAX_METADATA_KEYS,
  MAX_METADATA_VALUE_LENGTH,
} from '../metadata.ts'
import { canonicalName, isCovered, SIGNATURE_PARAMETER } from './parameter-name.ts'
import { hasPlaceholder } from './placeholders.ts'

/** One `name=value` of a query or a form, decoded. */
export type Pair = readonly [name: string, value: string]

/** How many units the link asks for; the product's limits are checked later. */
type QuantityParameter =
  | { readonly kind: 'absent' | 'invalid' }
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

const WHOLE_NUMBER = /^(?:0|[1-9][0-9]*)$/
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
 * different ones make the parameter absent. Empty values and placeholders that a mail tool left unfilled are
 * absent too, except for the quantity, where guessing would sell the wrong number. Invalid values are
 * dropped, never cut. Never throws.
 */
export function readParameters(pairs: Iterable<Pair>): LinkParameters {
  const given = collect(pairs)
  return {
    quantity: readQuantity(rawValue(given, 'quantity')),
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
  const [value, ...more] = [...(given.get(name) ?? [])].filter(
    (text) => text.trim() !== '' && !text.includes('\uFFFD') && !hasPlaceholder(text),
  )
  return value !== undefined && more.length === 0 && isUsable(value) ? value : undefined
}

/** The one value under a name, unchecked; `CONFLICTING` where there are two. */
function rawValue(given: Given, name: string): string | undefined {
  const [value, ...more] = given.get(name) ?? []
  return more.length === 0 ? value : CONFLICTING
}

function readQuantity(text: string | undefined): QuantityParameter {
  if (text === undefined) return { kind: 'absent' }
  const value = Number(text)
  return WHOLE_NUMBER.test(text) && Number.isSafeInteger(value)
    ? { kind: 'given', value }
    : { kind: 'invalid' }
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
