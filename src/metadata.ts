/** Dots documents no limits of `metadata`: these are limits that other payment APIs accept as well. */
export const MAX_METADATA_KEYS = 20
export const MAX_METADATA_KEY_LENGTH = 40
export const MAX_METADATA_VALUE_LENGTH = 500

/**
 * The keys that the service fills in itself, as the body of a regular expression. A lost store is rebuilt from them, so
 * neither a link nor a product may set them.
 */
export const OWN_METADATA_KEYS = 'checkout_id|items|items_[0-9]+|amount_total|link|warm'

/** JSON parsers that guard against prototype poisoning refuse a whole body for this key, and with it the sale. */
export const FORBIDDEN_METADATA_KEY = '__proto__'

const OWN_KEY = new RegExp(`^(?:${OWN_METADATA_KEYS})$`)

/** Whether the service fills this key in itself. */
export function isOwnMetadataKey(key: string): boolean {
  return OWN_KEY.test(key)
}
