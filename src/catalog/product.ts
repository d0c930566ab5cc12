import Type, { type Static } from 'typebox'

import { MAX_METADATA_KEY_LENGTH, MAX_METADATA_KEYS, MAX_METADATA_VALUE_LENGTH } from '../metadata.ts'
import { METADATA_KEY_PATTERN, Moment, SafeUrl, SKU_PATTERN, VISIBLE_TEXT_PATTERN } from './product-fields.ts'

// Stripe's ceilings for a payment link. Even the most of the dearest product is 1e14 cents, far below the
// 9e15 up to which integers are exact, so that amounts are multiplied without loss.
export const MAX_AMOUNT_CENTS = 99_999_999
export const MAX_QUANTITY = 999_999

// What a product allows that says nothing of quantities; Stripe's payment links do the same.
const DEFAULT_MINIMUM_QUANTITY = 1
const DEFAULT_MAXIMUM_QUANTITY = 99

// A session lives less than three hours at Dots, and one below a minute could not be paid.
const MIN_EXPIRES_IN_SECONDS = 60
const MAX_EXPIRES_IN_SECONDS = 10_799

// Dots documents no limits here; these are those of the card processors behind such an API.
const MAX_NAME_LENGTH = 250
const MAX_DESCRIPTION_LENGTH = 5000
const MAX_MESSAGE_LENGTH = 500
const MAX_IMAGES = 8

/** One entry of `products`, as the merchant writes it. Names follow Dots and Stripe's payment links. */
export const ProductSchema = Type.Object(
  {
    sku: Type.String({
      title: 'SKU',
      description:
        'Names the product in its buy link, /buy/SKU. Letters, digits, ".", "_" and "-" read best.',
      maxLength: 64,
      pattern: SKU_PATTERN,
    }),
    name: Type.String({
      title: 'Name',
      description: 'What the buyer reads in the shop and on the checkout page.',
      maxLength: MAX_NAME_LENGTH,
      pattern: VISIBLE_TEXT_PATTERN,
    }),
    description: Type.Optional(
      Type.String({
        title: 'Description',
        description: 'A sentence or two below the name.',
        minLength: 1,
        maxLength: MAX_DESCRIPTION_LENGTH,
      }),
    ),
    images: Type.Optional(
      Type.Array(SafeUrl({ title: 'Image', description: 'Absolute https address of a picture.' }), {
        title: 'Images',
        description: 'Pictures of the product, the best one first.',
        maxItems: MAX_IMAGES,
      }),
    ),
    amount: Type.Integer({
      title: 'Amount in cents',
      description: 'Price of one unit in cents: 2500 means 25.00.',
      minimum: 1,
      maximum: MAX_AMOUNT_CENTS,
    }),
    currency: Type.Optional(
      Type.Literal('usd', {
        title: 'Currency',
        description: 'Lower-case currency code; usd is the only one that Dots takes.',
        default: 'usd',
      }),
    ),
    active: Type.Optional(
      Type.Boolean({
        title: 'Active',
        description: 'false takes the product off sale; its links then show inactive_message.',
        default: true,
      }),
    ),
    inactive_message: Type.Optional(
      Type.String({
        title: 'Message while not on sale',
        description: 'What a buyer reads when the product is inactive, not yet on sale, ended or sold out.',
        minLength: 1,
        maxLength: MAX_MESSAGE_LENGTH,
      }),
    ),
    adjustable_quantity: Type.Optional(
      Type.Object(
        {
          minimum: Type.Optional(
            Type.Integer({
              title: 'Minimum',
              description: 'The fewest units that one checkout may hold.',
              minimum: 1,
              maximum: MAX_QUANTITY,
              default: DEFAULT_MINIMUM_QUANTITY,
            }),
          ),
          maximum: Type.Optional(
            Type.Integer({
              title: 'Maximum',
              description: 'The most units that one checkout may hold.',
              minimum: 1,
              maximum: MAX_QUANTITY,
              default: DEFAULT_MAXIMUM_QUANTITY,
            }),
          ),
        },
        {
          title: 'Quantity limits',
          description: 'How many units one checkout may hold; 1 to 99 where absent.',
          additionalProperties: false,
        },
      ),
    ),
    starts_at: Type.Optional(
      Moment({ title: 'On sale from', description: 'First moment of the sale: RFC 3339, with an offset.' }),
    ),
    ends_at: Type.Optional(
      Moment({
        title: 'On sale until',
        description: 'First moment after the sale: RFC 3339, with an offset.',
      }),
    ),
    restrictions: Type.Optional(
      Type.Object(
        {
          completed_sessions: Type.Object(
            {
              limit: Type.Integer({
                title: 'Limit',
                description: 'Paid checkouts after which the product is sold out.',
                minimum: 1,
                maximum: Number.MAX_SAFE_INTEGER,
              }),
            },
            {
              title: 'Completed sessions',
              description: 'Bounds how many checkouts may be paid.',
              additionalProperties: false,
            },
          ),
        },
        {
          title: 'Restrictions',
          description: 'What bounds the number of sales.',
          additionalProperties: false,
        },
      ),
    ),
    after_completion: Type.Optional(
      Type.Object(
        {
          custom_message: Type.Optional(
            Type.String({
              title: 'Custom message',
              description: 'What the buyer reads on the success page.',
              minLength: 1,
              maxLength: MAX_MESSAGE_LENGTH,
            }),
          ),
          redirect_url: Type.Optional(
            SafeUrl({
              title: 'Redirect URL',
              description: 'Where a buyer who paid goes instead of the success page.',
            }),
          ),
        },
        {
          title: 'After completion',
          description: 'What a buyer who paid sees.',
          additionalProperties: false,
        },
      ),
    ),
    expires_in: Type.Optional(
      Type.Integer({
        title: 'Expires in',
        description: 'Seconds for which a checkout of this product stays open.',
        minimum: MIN_EXPIRES_IN_SECONDS,
        maximum: MAX_EXPIRES_IN_SECONDS,
      }),
    ),
    confirm: Type.Optional(
      Type.Boolean({
        title: 'Confirm',
        description: 'true shows a page with a button before a checkout is opened.',
        default: false,
      }),
    ),
    metadata: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: MAX_METADATA_VALUE_LENGTH }), {
        title: 'Metadata',
        description: 'Your own notes, as text; they go to Dots with every sale of the product.',
        maxProperties: MAX_METADATA_KEYS,
        propertyNames: Type.String({
          maxLength: MAX_METADATA_KEY_LENGTH,
          pattern: METADATA_KEY_PATTERN,
        }),
      }),
    ),
  },
  {
    title: 'Product',
    description: 'Something that a buy link can sell.',
    additionalProperties: false,
  },
)

/** A product as it stands in the file. */
export type ProductEntry = Static<typeof ProductSchema>

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** A product of a loaded catalog: frozen, with `currency` and `active` filled in. `amount` is in cents. */
export type Product = DeepReadonly<ProductEntry & Required<Pick<ProductEntry, 'currency' | 'active'>>>

/** Whether a product can be bought, and if not, why and since or until when. */
export type Availability =
  | { state: 'available' }
  | { state: 'inactive'; message?: string }
  | { state: 'not-yet'; message?: string; startsAt: Date }
  | { state: 'ended'; message?: string; endsAt: Date }

/**
 * Whether the product is on sale at that moment: from `starts_at` on, up to and without `ends_at`. `message` is
 * the merchant's `inactive_message`. Sold out is not known here: only the store counts sales.
 */
export function availability(product: Product, now: Date): Availability {
  const message = product.inactive_message === undefined ? {} : { message: product.inactive_message }
  if (!product.active) return { state: 'inactive', ...message }
  const { from, until } = salePeriod(product)
  if (now.getTime() < from) return { state: 'not-yet', ...message, startsAt: new Date(from) }
  if (now.getTime() >= until) return { state: 'ended', ...message, endsAt: new Date(until) }
  return { state: 'available' }
}

/** When a product is on sale, in milliseconds since 1970: from `from` on, up to and without `until`. */
export interface SalePeriod {
  readonly from: number
  readonly until: number
}

const ALWAYS: SalePeriod = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }

// The two dates of a hundred thousand products take a tenth of a second to read: each product's are read once.
const periods = new WeakMap<Product, SalePeriod>()

/** The period of sale that the product's dates say, whether or not it is active. */
export function salePeriod(product: Product): SalePeriod {
  const { starts_at, ends_at } = product
  if (starts_at === undefined && ends_at === undefined) return ALWAYS
  let period = periods.get(product)
  if (period === undefined) {
    period = {
      from: starts_at === undefined ? ALWAYS.from : Date.parse(starts_at),
      until: ends_at === undefined ? ALWAYS.until : Date.parse(ends_at),
    }
    periods.set(product, period)
  }
  return period
}

/** How many units one checkout may hold, both ends included. */
export function quantityLimits(product: Pick<Product, 'adjustable_quantity'>): {
  minimum: number
  maximum: number
} {
  const { minimum = DEFAULT_MINIMUM_QUANTITY, maximum = DEFAULT_MAXIMUM_QUANTITY } =
    product.adjustable_quantity ?? {}
  return { minimum, maximum }
}

/** How many completed sales the product may have at the most; undefined: any number. */
export function salesLimit(product: Pick<Product, 'restrictions'> | undefined): number | undefined {
  return product?.restrictions?.completed_sessions?.limit
}
