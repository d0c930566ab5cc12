import { isDeepStrictEqual } from 'node:util'
import Type, { type Static, type TProperties } from 'typebox'
import { Compile } from 'typebox/compile'

// Dots documents no limits for metadata. A careful caller keeps to these, so the sandbox refuses what goes beyond them.
const MAX_METADATA_KEYS = 20
const MAX_METADATA_KEY_CHARACTERS = 40
const MAX_METADATA_VALUE_CHARACTERS = 500

// The documented range is open at both ends: 0 < seconds < 10800.
const MIN_EXPIRES_IN = 1
const MAX_EXPIRES_IN = 10_799

/** Seconds that a session stays open when the caller names no `expires_in`. */
export const DEFAULT_EXPIRES_IN = 10_800

/** The only currency that Dots documents. Amounts are whole cents of it. */
const CURRENCY = 'usd'
const dollars = new Intl.NumberFormat('en-US', { style: 'currency', currency: CURRENCY })

// Beyond this, adding cents up in JavaScript is no longer exact.
const Count = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

const Metadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: MAX_METADATA_KEYS,
  propertyNames: { type: 'string', maxLength: MAX_METADATA_KEY_CHARACTERS },
  additionalProperties: { type: 'string', maxLength: MAX_METADATA_VALUE_CHARACTERS },
})

/** The documented body of `POST /v2/checkout-sessions`. */
const CreateSessionSchema = exactly({
  line_items: Type.Array(
    exactly({
      price_data: exactly({
        currency: Type.Literal(CURRENCY),
        amount: Count,
        product_data: exactly({
          name: Type.String({ minLength: 1 }),
          description: Type.Optional(Type.String()),
          images: Type.Optional(Type.Array(Type.String())),
          metadata: Type.Optional(Metadata),
        }),
      }),
      quantity: Count,
    }),
    { minItems: 1 },
  ),
  mode: Type.Literal('payment'),
  success_url: Type.String(),
  cancel_url: Type.Optional(Type.String()),
  customer_email: Type.Optional(Type.String()),
  client_reference_id: Type.Optional(Type.String()),
  customer_id: Type.Optional(Type.String({ format: 'uuid' })),
  user_id: Type.Optional(Type.String({ format: 'uuid' })),
  expires_in: Type.Optional(Type.Integer({ minimum: MIN_EXPIRES_IN, maximum: MAX_EXPIRES_IN })),
  metadata: Type.Optional(Metadata),
})
export type CreateSession = Static<typeof CreateSessionSchema>

const ListQuerySchema = exactly({
  limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$' })),
  starting_after: Type.Optional(Type.String({ format: 'uuid' })),
  ending_before: Type.Optional(Type.String({ format: 'uuid' })),
})

/** An object that holds these fields and no other: one that is not documented is an error. */
function exactly<Fields extends TProperties>(fields: Fields) {
  return Type.Object(fields, { additionalProperties: false })
}

// Not documented; the size that comparable APIs use.
const DEFAULT_LIST_LIMIT = 10

/** An answer other than 2xx. */
export class Refusal extends Error {
  readonly status: number
  /** The error envelope. Dots documents none: callers must read it leniently. */
  readonly body: { error: { code: string; message: string } }

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.body = { error: { code, message } }
  }
}

/** A 400 with Dots' own code for a request that breaks the documented schema. */
export function invalidInput(message: string): Refusal {
  return new Refusal(400, 'invalid-input', message)
}

const createSession = Compile(CreateSessionSchema)
const listQuery = Compile(ListQuerySchema)

/** Reads a create body as strictly as the documentation allows. Throws a 400 {@link Refusal} that names the field. */
export function parseCreateSession(body: unknown): CreateSession {
  if (!createSession.Check(body)) throw firstProblem(createSession.Errors(body))
  if (body.customer_id !== undefined && body.user_id !== undefined)
    throw invalidInput('/user_id takes the place of /customer_id: never both')
  requireWebUrl('/success_url', body.success_url)
  if (body.cancel_url !== undefined) requireWebUrl('/cancel_url', body.cancel_url)
  body.line_items.forEach((item, index) => {
    const same = body.line_items.findIndex((other) => isDeepStrictEqual(other.price_data, item.price_data))
    if (same !== index) throw invalidInput(`/line_items/${index} repeats /line_items/${same}`)
  })
  if (!Number.isSafeInteger(amountTotal(body))) throw invalidInput('/line_items come to too large a sum')
  return body
}

/** What the buyer would pay, in cents. */
export function amountTotal(body: CreateSession): number {
  return body.line_items.reduce((sum, item) => sum + item.price_data.amount * item.quantity, 0)
}

/** Prints an amount (cents) for people. */
export function formatAmount(cents: number): string {
  return dollars.format(cents / 100)
}

/** Which sessions of the list a page shows, and how many. */
export type ListQuery = ReturnType<typeof parseListQuery>

/** Reads the list's query. A parameter that is given twice is an array, and therefore refused. Throws a 400 {@link Refusal}. */
export function parseListQuery(query: unknown) {
  if (!listQuery.Check(query)) throw firstProblem(listQuery.Errors(query))
  if (query.starting_after !== undefined && query.ending_before !== undefined)
    throw invalidInput('starting_after and ending_before exclude each other')
  return {
    limit: query.limit === undefined ? DEFAULT_LIST_LIMIT : Number(query.limit),
    startingAfter: query.starting_after,
    endingBefore: query.ending_before,
  }
}

function firstProblem(errors: readonly { instancePath: string; message: string }[]): Refusal {
  const [first] = errors
  return invalidInput(first ? `${first.instancePath || '/'} ${first.message}` : 'not the documented shape')
}

function requireWebUrl(field: string, text: string): void {
  if (!/^https?:\/\/[^\s\\]+$/i.test(text) || !URL.canParse(text))
    throw invalidInput(`${field} must be an absolute http or https URL`)
}
