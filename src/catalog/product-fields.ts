import Type from 'typebox'

import { OWN_METADATA_KEYS, POISONOUS_METADATA_KEY } from '../metadata.ts'
import { isLoopbackHost } from '../web-url.ts'

// Browsers and proxies differ beyond this; no shop needs longer ones.
const MAX_URL_LENGTH = 2048

// \p{C} are control, format, surrogate and unassigned characters: what cannot be seen cannot be typed again.
export const SKU_PATTERN = '^[^\\s\\p{C}]+$'
export const VISIBLE_TEXT_PATTERN = '\\S'
export const METADATA_KEY_PATTERN = `^(?!(?:${OWN_METADATA_KEYS}|${POISONOUS_METADATA_KEY})$)[^\\p{Cc}\\u2028\\u2029]+$`

// RFC 3339, section 5.6, without leap seconds, which `Date` does not know.
const MOMENT_PATTERN =
  '^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?' +
  '(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$'
const MOMENT_SENTENCE = 'must be a date and time with its offset, such as 2026-11-01T00:00:00Z'
const LAST_DAY_OF_EVERY_MONTH = 28

/** What to tell the merchant where a text does not fit a pattern of the schema. */
export const patternSentences: ReadonlyMap<string, string> = new Map([
  [SKU_PATTERN, 'must be one or more printable characters, without spaces'],
  [MOMENT_PATTERN, MOMENT_SENTENCE],
  [VISIBLE_TEXT_PATTERN, 'must not be blank'],
  [
    METADATA_KEY_PATTERN,
    'must be a text without line breaks, and not one that the service fills in itself' +
      ' (checkout_id, items, items_2 and so on, amount_total, link)',
  ],
])

/** Whether a browser may be sent there: absolute https (http on this machine alone), no user or password. */
function isSafeUrl(value: string): boolean {
  // `new URL` repairs white space and backslashes; a reader of the file would not see what it became.
  if (!/^https?:\/\/[^\s\\]+$/.test(value)) return false
  const url = URL.parse(value)
  if (url === null || url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || isLoopbackHost(url.hostname)
}

/** Whether the day exists, for a text that has the form: `Date` would take 30 February for 2 March. */
function isMoment(value: string): boolean {
  const day = Number(value.slice(8, 10))
  return day <= LAST_DAY_OF_EVERY_MONTH || new Date(`${value.slice(0, 10)}T00:00:00Z`).getUTCDate() === day
}

/** A text field with an address that a buyer's browser may be sent to. */
export function SafeUrl(options: { title: string; description: string }) {
  return Type.Refine(
    Type.String({ ...options, maxLength: MAX_URL_LENGTH }),
    (value) => typeof value !== 'string' || isSafeUrl(value),
    () =>
      'must be an absolute https:// address without user name or password (http:// on this machine alone)',
  )
}

/** A text field with a moment in time. */
export function Moment(options: { title: string; description: string }) {
  return Type.Refine(
    Type.String({ ...options, pattern: MOMENT_PATTERN }),
    (value) => typeof value !== 'string' || isMoment(value),
    () => MOMENT_SENTENCE,
  )
}
