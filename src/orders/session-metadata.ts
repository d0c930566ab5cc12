import { randomUUID } from 'node:crypto'
import type { Session } from '../dots/messages.ts'
import { hasCode } from '../errors.ts'
import { type Cart, formatPermalink, parseItems } from '../links/cart.ts'
import { isOwnMetadataKey, MAX_METADATA_KEYS, MAX_METADATA_VALUE_LENGTH } from '../metadata.ts'

/**
 * The id of a checkout: {@link newCheckoutId}, or a random UUID (RFC 9562, version 4) of an older version, both in lower
 * case.
 */
export const CHECKOUT_ID_PATTERN =
  '(?:[0-9a-f]{44}|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})'
const CHECKOUT_ID = new RegExp(`^${CHECKOUT_ID_PATTERN}$`)

/**
 * A new id: 12 hexadecimal digits of milliseconds, so that rows lie in the order of time and each new one is appended, and
 * the 32 of a random UUID. Who knows an id sees its order, so its 122 random bits must not be guessed.
 */
export function newCheckoutId(at: Date): string {
  return idPrefix(at.getTime()) + randomUUID().replaceAll('-', '')
}

const ID_TIME_DIGITS = 12

/** What the ids begin with that are made in this millisecond (since 1970). */
export function idPrefix(ms: number): string {
  return ms.toString(16).padStart(ID_TIME_DIGITS, '0')
}

/** When an id was made, in milliseconds since 1970. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, ID_TIME_DIGITS), 16)
}

/** What the service itself writes into a session, so that a lost store can be rebuilt from Dots' list. */
export interface OwnMetadata {
  checkoutId: string
  cart: Cart
  /** Cents, as asked. */
  amountTotal: number
  /** Of a signed link. */
  linkId: string | undefined
  /** It was made ahead of its click; while it is not paid, perhaps nobody has got it. */
  isWarm: boolean
}

/** The service's own entries of a session's metadata, the most important first, since the number of keys is limited. */
export function ownMetadata({
  checkoutId,
  cart,
  amountTotal,
  linkId,
  isWarm,
}: OwnMetadata): Record<string, string> {
  const entries: [string, string][] = [
    ['checkout_id', checkoutId],
    ...itemsMetadata(cart),
    ['amount_total', String(amountTotal)],
  ]
  if (linkId !== undefined) entries.push(['link', linkId])
  if (isWarm) entries.push(['warm', '1'])
  return Object.fromEntries(entries.slice(0, MAX_METADATA_KEYS))
}

/**
 * The merchant's entries of a session's metadata: those of `sources`, in this order, up to `maxKeys` keys. Of two values
 * for one key the first counts; a value that is too long is left out, never cut.
 */
export function merchantMetadata(
  maxKeys: number,
  ...sources: Readonly<Record<string, string>>[]
): Record<string, string> {
  const metadata: Record<string, string> = {}
  let size = 0
  for (const source of sources) {
    for (const [key, value] of Object.entries(source)) {
      if (size >= maxKeys) return metadata
      if (Object.hasOwn(metadata, key) || value.length > MAX_METADATA_VALUE_LENGTH) continue
      metadata[key] = value
      size += 1
    }
  }
  return metadata
}

/** `items`, `items_2`, …: the permalink, cut into parts of the maximum length. Joined, the parts give the permalink. */
function itemsMetadata(cart: Cart): [string, string][] {
  const text = formatPermalink(cart)
  if (text.length <= MAX_METADATA_VALUE_LENGTH) return [['items', text]]
  const parts = text.match(new RegExp(`.{1,${MAX_METADATA_VALUE_LENGTH}}`, 'g')) ?? []
  return parts.map((part, index) => [index === 0 ? 'items' : `items_${index + 1}`, part])
}

/** Reads back what {@link ownMetadata} wrote; undefined for a session that this service did not make. */
export function readOwnMetadata(session: Session): OwnMetadata | undefined {
  const metadata = textMetadata(session)
  const checkoutId = metadata.checkout_id
  if (checkoutId === undefined || !CHECKOUT_ID.test(checkoutId)) return undefined
  let text = metadata.items ?? ''
  for (let part = 2; metadata[`items_${part}`] !== undefined; part += 1) text += metadata[`items_${part}`]
  const amountTotal = Number(metadata.amount_total ?? session.amount_total)
  if (!Number.isSafeInteger(amountTotal) || amountTotal < 1) return undefined
  try {
    const items = parseItems(text)
    return items.form === 'permalink'
      ? {
          checkoutId,
          cart: items.cart,
          amountTotal,
          linkId: metadata.link,
          isWarm: metadata.warm !== undefined,
        }
      : undefined
  } catch (error) {
    if (hasCode(error, 'malformed-link')) return undefined
    throw error
  }
}

/** A session's metadata without the service's own entries: the product's and the link's. */
export function readMerchantMetadata(session: Session): Record<string, string> {
  return Object.fromEntries(Object.entries(textMetadata(session)).filter(([key]) => !isOwnMetadataKey(key)))
}

/** The entries of a session's metadata that are texts, as ours are. */
function textMetadata(session: Session): Record<string, string> {
  return Object.fromEntries(
    Object.entries(session.metadata ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  )
}
