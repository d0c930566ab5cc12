import {
  isOwnMetadataKey,
  MAX_METADATA_KEY_LENGTH,
  MAX_METADATA_KEYS,
  MAX_METADATA_VALUE_LENGTH,
  POISONOUS_METADATA_KEY,
} from '../metadata.ts'
import { isEmail, restoreEmail } from './email.ts'
import { isMergeTag } from './merge-tag.ts'
import { canonicalName, isCovered } from './parameter-name.ts'
import { splitPairs } from './query-pairs.ts'

/** How many the buyer asked for; whether the product allows as many is for the catalog to say. */
export type QuantityWish =
  | { readonly kind: 'absent' }
  | { readonly kind: 'given'; readonly value: number }
  | { readonly kind: 'invalid' }

/** Stands for two different values of one parameter. It is no signature, number, id or time, so it passes no check. */
export const CONFLICTING = 'conflicting'

/** Wishes that count only in a link whose signature was verified, as they stood; `signedTerms` reads them. */
export interface SignedWishes {
  readonly amount?: string
  readonly customerId?: string
  readonly userId?: string
  readonly expiresAt?: string
  readonly uses?: string
}

/** What a buy link's query and form say, each part checked and free of what can not be used. */
export interface LinkParameters {
  readonly quantity: QuantityWish
  readonly email?: string
  readonly clientReferenceId?: string
  /** The URL's `metadata_…`, without prefixes. No prototype, keys sorted. */
  readonly metadata: Readonly<Record<string, string>>
  /** `utm_…`, `ref` and the standard's `attribution/…` under their plain names. No prototype, keys sorted. */
  readonly attribution: Readonly<Record<string, string>>
  /** A decoded wish, not yet checked: see `resolveContinueTo`. */
  readonly continueTo?: string
  /** Not to be used: `signedTerms` reads it once the signature was verified. */
  readonly signed: SignedWishes
  /** `CONFLICTING` where the link carries two. */
  readonly signature?: string
  /**
   * Every parameter that a signature covers, by canonical name, with all its values as decoded: also the bad ones
   * and the contradictory ones, so that adding one of those is noticed. Names and values are sorted.
   */
  readonly covered: ReadonlyMap<string, readonly string[]>
}

const WHOLE_NUMBER = /^(?:0|[1-9][0-9]*)$/
const CLIENT_REFERENCE_ID = /^[A-Za-z0-9_-]{1,200}$/
/** Line breaks forge log lines and cells; U+FFFD is what is left of bytes that were no UTF-8. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\uFFFD]/u

/** All values that came under one canonical name, each once. */
type Given = ReadonlyMap<string, ReadonlySet<string>>

/**
 * Reads the raw query string and, for a form, its urlencoded body as one set: no order between names, aliases or
 * the two sources decides anything. Equal values count once, different ones for nothing. Placeholders that a mail
 * tool left unfilled and empty values count as absent, except for the quantity, where guessing would sell the wrong
 * number of things. Bad values are dropped, never cut. Never throws.
 */
export function readParameters(rawQuery: string, body?: string): LinkParameters {
  const given = collect(rawQuery, body)
  const email = readEmail(given)
  const clientReferenceId = agreed(given, 'client_reference_id')
  const continueTo = agreed(given, 'continue_to')
  const signature = asGiven(given, 'link_signature')
  return {
    quantity: readQuantity(given),
    ...(email !== undefined && { email }),
    ...(clientReferenceId !== undefined &&
      CLIENT_REFERENCE_ID.test(clientReferenceId) && { clientReferenceId }),
    metadata: readKeyed(given, 'metadata_'),
    attribution: readKeyed(given, 'attribution/'),
    ...(continueTo !== undefined && { continueTo }),
    signed: readSigned(given),
    ...(signature !== undefined && { signature }),
    covered: readCovered(given),
  }
}

function collect(rawQuery: string, body: string | undefined): Given {
  const given = new Map<string, Set<string>>()
  for (const { name, value: text } of splitPairs(rawQuery, body)) {
    const canonical = canonicalName(name)
    if (canonical === undefined) continue
    const values = given.get(canonical)
    // Restored before it is compared or signed, so that a mail tool's `+` for `%2B` changes neither.
    const value = canonical === 'buyer/email' ? restoreEmail(text) : text
    if (values === undefined) given.set(canonical, new Set([value]))
    else values.add(value)
  }
  return given
}

/** The one value that was meant under a name: `undefined` where there is none, or where two contradict. */
function agreed(given: Given, name: string): string | undefined {
  const meant = new Set<string>()
  for (const value of given.get(name) ?? []) {
    if (value.trim() !== '' && !value.includes('\uFFFD') && !isMergeTag(value)) meant.add(value)
  }
  const [only] = meant
  return meant.size === 1 ? only : undefined
}

/** The one value under a name, whatever it is; `CONFLICTING` where there are two. */
function asGiven(given: Given, name: string): string | undefined {
  const values = given.get(name)
  if (values === undefined) return undefined
  const [only] = values
  return values.size === 1 ? only : CONFLICTING
}

function readQuantity(given: Given): QuantityWish {
  const text = asGiven(given, 'quantity')
  if (text === undefined) return { kind: 'absent' }
  const value = Number(text)
  return WHOLE_NUMBER.test(text) && Number.isSafeInteger(value)
    ? { kind: 'given', value }
    : { kind: 'invalid' }
}

function readEmail(given: Given): string | undefined {
  const email = agreed(given, 'buyer/email')
  return email !== undefined && isEmail(email) ? email : undefined
}

function readKeyed(given: Given, prefix: string): Record<string, string> {
  const found: [key: string, value: string][] = []
  for (const name of given.keys()) {
    if (!name.startsWith(prefix)) continue
    const key = name.slice(prefix.length)
    const value = agreed(given, name)
    if (value !== undefined && isUsableKey(key) && isUsableValue(value)) found.push([key, value])
  }
  // Sorted before it is bounded, so that the order in the URL does not decide what is kept.
  found.sort(([a], [b]) => (a < b ? -1 : 1))
  const record: Record<string, string> = Object.create(null)
  for (const [key, value] of found.slice(0, MAX_METADATA_KEYS)) record[key] = value
  return record
}

function isUsableKey(key: string): boolean {
  if (key.trim() === '' || key.length > MAX_METADATA_KEY_LENGTH || UNPRINTABLE.test(key)) return false
  return key !== POISONOUS_METADATA_KEY && !isOwnMetadataKey(key)
}

function isUsableValue(value: string): boolean {
  return value.length <= MAX_METADATA_VALUE_LENGTH && !UNPRINTABLE.test(value)
}

function readSigned(given: Given): SignedWishes {
  const amount = asGiven(given, 'amount')
  const customerId = asGiven(given, 'customer_id')
  const userId = asGiven(given, 'user_id')
  const expiresAt = asGiven(given, 'expires_at')
  const uses = asGiven(given, 'uses')
  return {
    ...(amount !== undefined && { amount }),
    ...(customerId !== undefined && { customerId }),
    ...(userId !== undefined && { userId }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(uses !== undefined && { uses }),
  }
}

function readCovered(given: Given): ReadonlyMap<string, readonly string[]> {
  const names = [...given.keys()].filter(isCovered).sort()
  return new Map(names.map((name) => [name, [...(given.get(name) ?? [])].sort()]))
}
