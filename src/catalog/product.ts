import Type, { type Static, type TProperties, type TSchemaOptions } from 'typebox'

import { AppError } from '../errors.ts'
import {
  FORBIDDEN_METADATA_KEY,
  MAX_METADATA_KEY_LENGTH,
  MAX_METADATA_KEYS,
  MAX_METADATA_VALUE_LENGTH,
  OWN_METADATA_KEYS,
} from '../metadata.ts'
import { webUrl } from '../web-url.ts'

/** The currencies that Dots takes, as ISO 4217 codes in lower case. */
const CURRENCIES = ['usd'] as const
/** Of a product that names none, and of a restored order whose products are gone. */
export const DEFAULT_CURRENCY = CURRENCIES[0]

// Stripe's limits for a payment link. The maximum quantity of the most expensive product comes to 1e14 cents, far
// below the 9e15 up to which integers are exact, so amounts are multiplied without loss.
export const MAX_AMOUNT_CENTS = 99_999_999
export const MAX_QUANTITY = 999_999

/** Each is a session at Dots that is made again every one and a half hours. */
const MAX_WARM = 10_000

// For products that set no limits; Stripe's payment links do the same.
const DEFAULT_MIN_QUANTITY = 1
const DEFAULT_MAX_QUANTITY = 99

// \p{C} are control, format, surrogate and unassigned characters: they are invisible, so nobody could type such a sku.
const SKU_PATTERN = '^[^\\s\\p{C}]+$'
const VISIBLE_TEXT_PATTERN = '\\S'
const METADATA_KEY_PATTERN = `^(?!(?:${OWN_METADATA_KEYS}|${FORBIDDEN_METADATA_KEY})$)[^\\p{Cc}\\u2028\\u2029]+$`

// RFC 3339, section 5.6, without leap seconds, which `Date` does not know.
const DATE_TIME_PATTERN =
  '^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?' +
  '(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$'
const DATE_TIME_SENTENCE = 'must be a date and time with its offset, such as 2026-11-01T00:00:00Z'

/** What to tell the merchant where a text does not match a pattern of the schema. */
export const PATTERN_SENTENCES: Readonly<Record<string, string>> = {
  [SKU_PATTERN]: 'must be one or more printable characters, without spaces',
  [DATE_TIME_PATTERN]: DATE_TIME_SENTENCE,
  [VISIBLE_TEXT_PATTERN]: 'must not be blank',
  [METADATA_KEY_PATTERN]:
    'must be a text without line breaks, and not one that the service fills in itself' +
    ' (checkout_id, items, items_2 and so on, amount_total, link, warm)',
}

/** Most addresses: nothing in them has to be parsed to be found safe, or changed to be a valid URI. */
const PLAIN_URL =
  /^https:\/\/(?:(?!xn--)[a-z][a-z0-9-]*[a-z0-9]\.)+[a-z]{2,}\/(?!\.)(?:[A-Za-z0-9\-_~!$&'()*+,;=:@]|\/(?!\.)|(?<!\/)\.)*$/
/** What a URI may have behind its host (RFC 3986, section 3.3 and 3.4), beside escapes. */
const NO_URI_CHARACTER = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?@!$&'()*+,;=%]/gu

/** What is wrong with an address; undefined for one that a browser may be sent to. */
function urlProblem(text: string): string | undefined {
  if (PLAIN_URL.test(text)) return undefined
  // The parser repairs white space and backslashes, so a reader of the file would not see where such an address leads.
  if (/\s/.test(text)) return 'must not have spaces or line breaks: write %20 for a space'
  if (text.includes('\\')) return 'must not have backslashes: write /'
  const url = URL.parse(text)
  if (url === null || !/^https?:\/\//i.test(text))
    return 'must be a whole address, such as https://shop.example/a.jpg'
  if (url.username !== '' || url.password !== '') return 'must be without user name and password'
  return webUrl(text) === undefined ? 'must begin with https:// (http:// only on this machine)' : undefined
}

/** The address as a valid URI: host names in ASCII, and everything escaped that has to be. */
function toUri(text: string): string {
  if (PLAIN_URL.test(text)) return text
  const { origin, pathname, search, hash } = new URL(text)
  const escaped = [pathname, search, hash.slice(1)].map((part) =>
    part.replace(NO_URI_CHARACTER, encodeURIComponent),
  )
  const [path, query, fragment] = escaped
  return `${origin}${path}${query}${fragment && `#${fragment}`}`
}

/** `Date` reads 30 February as 2 March. True also for a text that is no date: the pattern reports that. */
function hasExistingDay(text: string): boolean {
  const day = text.slice(0, 10)
  const time = Date.parse(`${day}T00:00:00Z`)
  return Number.isNaN(time) || new Date(time).toISOString().startsWith(day)
}

const text = (title: string, description: string, options: TSchemaOptions = {}) =>
  Type.String({ title, description, ...options })

const message = (title: string, description: string) =>
  Type.Optional(text(title, description, { minLength: 1, maxLength: 500 }))

const integer = (title: string, description: string, minimum: number, maximum = Number.MAX_SAFE_INTEGER) =>
  Type.Integer({ title, description, minimum, maximum })

const quantity = (title: string, description: string, value: number) =>
  Type.Optional(Type.Integer({ title, description, minimum: 1, maximum: MAX_QUANTITY, default: value }))

const flag = (title: string, description: string, value: boolean) =>
  Type.Optional(Type.Boolean({ title, description, default: value }))

const object = <Properties extends TProperties>(title: string, description: string, properties: Properties) =>
  Type.Object(properties, { title, description, additionalProperties: false })

// Browsers and proxies differ beyond 2,048 characters.
const url = (title: string, description: string) =>
  Type.Refine(
    text(title, description, { maxLength: 2048 }),
    (value) => typeof value !== 'string' || urlProblem(value) === undefined,
    (value) => urlProblem(String(value)) ?? '',
  )

const dateTime = (title: string, description: string) =>
  Type.Refine(
    text(title, description, { pattern: DATE_TIME_PATTERN }),
    (value) => typeof value !== 'string' || hasExistingDay(value),
    () => DATE_TIME_SENTENCE,
  )

/**
 * One entry of `products`, as the merchant writes it. Names follow Dots and Stripe's payment links; Dots documents no
 * limits of texts and images, and these are those of the card processors behind such an API.
 */
export const ProductSchema = object('Product', 'Something that a buy link can sell.', {
  sku: text(
    'SKU',
    'Names the product in its buy link, /buy/SKU. Letters, digits, ".", "_" and "-" read best.',
    { maxLength: 64, pattern: SKU_PATTERN },
  ),
  name: text('Name', 'What the buyer reads in the shop and on the checkout page.', {
    maxLength: 250,
    pattern: VISIBLE_TEXT_PATTERN,
  }),
  description: Type.Optional(
    text('Description', 'A sentence or two below the name.', { minLength: 1, maxLength: 5000 }),
  ),
  images: Type.Optional(
    Type.Array(url('Image', 'Absolute https URL of a picture.'), {
      title: 'Images',
      description: 'Pictures of the product, the best one first.',
      maxItems: 8,
    }),
  ),
  amount: integer('Amount in cents', 'Price of one unit in cents: 2500 means 25.00.', 1, MAX_AMOUNT_CENTS),
  currency: Type.Optional(
    Type.Enum(CURRENCIES, {
      title: 'Currency',
      description: 'Lower-case currency code; usd is the only one that Dots takes.',
      default: DEFAULT_CURRENCY,
    }),
  ),
  active: flag('Active', 'false takes the product off sale; its links then show inactive_message.', true),
  inactive_message: message(
    'Message while not on sale',
    'What a buyer reads when the product is inactive, not yet on sale, ended or sold out.',
  ),
  adjustable_quantity: Type.Optional(
    object('Quantity limits', 'How many units one checkout may hold; 1 to 99 where absent.', {
      minimum: quantity('Minimum', 'The fewest units that one checkout may hold.', DEFAULT_MIN_QUANTITY),
      maximum: quantity('Maximum', 'The most units that one checkout may hold.', DEFAULT_MAX_QUANTITY),
    }),
  ),
  starts_at: Type.Optional(dateTime('On sale from', 'First moment of the sale: RFC 3339, with an offset.')),
  ends_at: Type.Optional(dateTime('On sale until', 'First moment after the sale: RFC 3339, with an offset.')),
  restrictions: Type.Optional(
    object('Restrictions', 'What bounds the number of sales.', {
      completed_sessions: object('Completed sessions', 'Bounds how many checkouts may be paid.', {
        limit: integer('Limit', 'Paid checkouts after which the product is sold out.', 1),
      }),
    }),
  ),
  after_completion: Type.Optional(
    object('After completion', 'What a buyer who paid sees.', {
      custom_message: message('Custom message', 'What the buyer reads on the success page.'),
      redirect_url: Type.Optional(
        url('Redirect URL', 'Where the success page sends a buyer who paid, after ten seconds.'),
      ),
    }),
  ),
  // Dots keeps a session open for less than three hours, and nobody could pay within less than a minute.
  expires_in: Type.Optional(
    integer('Expires in', 'Seconds for which a checkout of this product stays open.', 60, 10_799),
  ),
  warm: Type.Optional(
    Type.Integer({
      title: 'Warm checkouts',
      description:
        'Most checkouts of this product that are opened ahead of the clicks on its plain link. 0: as WARM_CHECKOUTS says.',
      minimum: 0,
      maximum: MAX_WARM,
      default: 0,
    }),
  ),
  confirm: flag('Confirm', 'true shows a page with a button before a checkout is opened.', false),
  metadata: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: MAX_METADATA_VALUE_LENGTH }), {
      title: 'Metadata',
      description: 'Your own notes, as text; they go to Dots with every sale of the product.',
      maxProperties: MAX_METADATA_KEYS,
      propertyNames: Type.String({ maxLength: MAX_METADATA_KEY_LENGTH, pattern: METADATA_KEY_PATTERN }),
    }),
  ),
})

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** A product as it is in the file. */
export type ProductEntry = Static<typeof ProductSchema>

/**
 * A product of a loaded catalog, with `currency` and `active` filled in. `amount` is in cents. It is on sale
 * from `from` on, up to and without `until`, both in milliseconds since 1970 and infinite where the file has no date.
 */
export type Product = DeepReadonly<
  ProductEntry & Required<Pick<ProductEntry, 'currency' | 'active'>> & { from: number; until: number }
>

/** The product of an entry that matches the schema. */
export function toProduct(entry: ProductEntry): Product {
  const { currency = DEFAULT_CURRENCY, active = true, starts_at, ends_at } = entry
  const from = starts_at === undefined ? Number.NEGATIVE_INFINITY : Date.parse(starts_at)
  const until = ends_at === undefined ? Number.POSITIVE_INFINITY : Date.parse(ends_at)
  const images = entry.images?.map(toUri)
  return { ...entry, images, currency, active, from, until }
}

/** Whether the product is on sale at that moment. Sold out is not known here: only the store counts sales. */
export function availability({ active, from, until }: Product, now: Date) {
  if (!active) return 'inactive'
  if (now.getTime() < from) return 'not-yet'
  return now.getTime() < until ? 'available' : 'ended'
}

/** 410: the product exists, but cannot be bought now. The merchant's own message is added if there is one. */
export function notForSale(
  { sku, name, inactive_message: note, starts_at }: Product,
  state: 'inactive' | 'not-yet' | 'ended' | 'sold-out',
): AppError {
  const startsAt = state === 'not-yet' ? starts_at : undefined
  return new AppError(`product-${state}`, { params: { name, note, startsAt }, details: { sku } })
}

/** How many units one checkout may hold, both ends included. */
export function quantityLimits(product: Pick<Product, 'adjustable_quantity'>) {
  const { minimum = DEFAULT_MIN_QUANTITY, maximum = DEFAULT_MAX_QUANTITY } = product.adjustable_quantity ?? {}
  return { minimum, maximum }
}

/** The maximum number of completed sales of the product; undefined: any number. */
export function salesLimit(product: Pick<Product, 'restrictions'> | undefined): number | undefined {
  return product?.restrictions?.completed_sessions.limit
}
