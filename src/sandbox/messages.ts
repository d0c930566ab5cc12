import { isDeepStrictEqual } from 'node:util'
import Type, { type Static, type TProperties } from 'typebox'
import { Compile } from 'typebox/compile'

// Beyond the maximum, adding cents up in JavaScript is no longer exact.
const Count = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const Uuid = Type.String({ format: 'uuid' })
const WebUrl = Type.Refine(
  Type.String(),
  (text) => /^https?:\/\/[^\s\\]+$/i.test(text) && URL.canParse(text),
  () => 'must be an absolute http or https URL',
)
// Dots documents no limits. A careful caller keeps to these, so the sandbox refuses what goes beyond them.
const Metadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: 20,
  propertyNames: { type: 'string', maxLength: 40 },
  additionalProperties: { type: 'string', maxLength: 500 },
})

/** The documented body of `POST /v2/checkout-sessions`. Amounts are cents for one unit. */
const CreateSessionSchema = exactly({
  line_items: Type.Array(
    exactly({
      price_data: exactly({
        currency: Type.Literal('usd'),
        amount: Count,
        product_data: exactly({
          name: Type.String({ minLength: 1 }),
          description: Type.Optional(Type.String()),
          images: Type.Optional(Type.Array(Type.String({ format: 'uri' }))),
          metadata: Type.Optional(Metadata),
        }),
      }),
      quantity: Count,
    }),
    { minItems: 1 },
  ),
  mode: Type.Literal('payment'),
  success_url: WebUrl,
  cancel_url: Type.Optional(WebUrl),
  customer_email: Type.Optional(Type.String({ format: 'email' })),
  client_reference_id: Type.Optional(Type.String()),
  customer_id: Type.Optional(Uuid),
  user_id: Type.Optional(Uuid),
  // The documented range is open at both ends: 0 < seconds < 10800.
  expires_in: Type.Optional(Type.Integer({ exclusiveMinimum: 0, exclusiveMaximum: 10_800 })),
  metadata: Type.Optional(Metadata),
})
export type CreateSession = Static<typeof CreateSessionSchema>

const ListQuerySchema = exactly({
  limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$' })),
  starting_after: Type.Optional(Uuid),
  ending_before: Type.Optional(Uuid),
})
export type ListQuery = Static<typeof ListQuerySchema>

/** An object that holds these fields and no other: one that is not documented is an error. */
function exactly<Fields extends TProperties>(fields: Fields) {
  return Type.Object(fields, { additionalProperties: false })
}

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

/** Checks a create body by the documentation. Throws a 400 {@link Refusal} that names the field. */
export function parseCreateSession(body: unknown): CreateSession {
  if (!createSession.Check(body)) throw firstProblem(createSession.Errors(body))
  if (body.customer_id !== undefined && body.user_id !== undefined)
    throw invalidInput('/user_id takes the place of /customer_id: never both')
  body.line_items.forEach((item, index) => {
    const same = body.line_items.findIndex((other) => isDeepStrictEqual(other.price_data, item.price_data))
    if (same !== index) throw invalidInput(`/line_items/${index} repeats /line_items/${same}`)
  })
  if (!Number.isSafeInteger(amountTotal(body))) throw invalidInput('the total of /line_items is too large')
  return body
}

/** What the buyer would pay, in cents. */
export function amountTotal(body: CreateSession): number {
  return body.line_items.reduce((sum, item) => sum + item.price_data.amount * item.quantity, 0)
}

/** Checks the list's query. Throws a 400 {@link Refusal}, also where a parameter is given twice: it is an array. */
export function parseListQuery(query: unknown): ListQuery {
  if (!listQuery.Check(query)) throw firstProblem(listQuery.Errors(query))
  if (query.starting_after !== undefined && query.ending_before !== undefined)
    throw invalidInput('starting_after and ending_before exclude each other')
  return query
}

function firstProblem(errors: readonly { instancePath: string; message: string }[]): Refusal {
  const { instancePath = '', message = 'is not as documented' } = errors[0] ?? {}
  return invalidInput(`${instancePath || '/'} ${message}`)
}
