import { isDeepStrictEqual } from 'node:util'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

// Dots documents no limits for metadata; these are the ones that cautious callers keep, so nothing beyond passes here.
const METADATA_KEYS = 20
const METADATA_KEY_CHARACTERS = 40
const METADATA_VALUE_CHARACTERS = 500

// The documented range is open at both ends: 0 < seconds < 10800.
const EXPIRES_IN_LEAST = 1
const EXPIRES_IN_MOST = 10_799

/** Seconds that a session stays open when the caller names no `expires_in`. */
export const EXPIRES_IN_DEFAULT = 10_800

const closed = { additionalProperties: false } as const

// Beyond this, adding cents up in JavaScript is no longer exact.
const Count = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

const Metadata = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: METADATA_KEYS,
  propertyNames: { type: 'string', maxLength: METADATA_KEY_CHARACTERS },
  additionalProperties: { type: 'string', maxLength: METADATA_VALUE_CHARACTERS },
})

/** The documented body of `POST /v2/checkout-sessions`; a field that is not documented is an error. */
export const CreateSessionSchema = Type.Object(
  {
    line_items: Type.Array(
      Type.Object(
        {
          price_data: Type.Object(
            {
              currency: Type.Literal('usd'),
              amount: Count,
              product_data: Type.Object(
                {
                  name: Type.String({ minLength: 1 }),
                  description: Type.Optional(Type.String()),
                  images: Type.Optional(Type.Array(Type.String())),
                  metadata: Type.Optional(Metadata),
                },
                closed,
              ),
            },
            closed,
          ),
          quantity: Count,
        },
        closed,
      ),
      { minItems: 1 },
    ),
    mode: Type.Literal('payment'),
    success_url: Type.String(),
    cancel_url: Type.Optional(Type.String()),
    customer_email: Type.Optional(Type.String()),
    client_reference_id: Type.Optional(Type.String()),
    customer_id: Type.Optional(Type.String({ format: 'uuid' })),
    user_id: Type.Optional(Type.String({ format: 'uuid' })),
    expires_in: Type.Optional(Type.Integer({ minimum: EXPIRES_IN_LEAST, maximum: EXPIRES_IN_MOST })),
    metadata: Type.Optional(Metadata),
  },
  closed,
)
export type CreateSession = Static<typeof CreateSessionSchema>

const ListQuerySchema = Type.Object(
  {
    limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$' })),
    starting_after: Type.Optional(Type.String({ format: 'uuid' })),
    ending_before: Type.Optional(Type.String({ format: 'uuid' })),
  },
  closed,
)

/** Where in the list a page of sessions starts, and how many it holds. */
export interface ListQuery {
  limit: number
  startingAfter?: string
  endingBefore?: string
}

// Not documented; the size that comparable APIs use.
const LIST_LIMIT_DEFAULT = 10

/** An answer other than 2xx: its status and the code in the error envelope. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }

  /** The error envelope. Dots documents none; callers must read whatever stands here leniently. */
  get body(): { error: { code: string; message: string } } {
    return { error: { code: this.code, message: this.message } }
  }
}

/** A 400 in Dots' words for a request that breaks the documented schema. */
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

/** Reads the list's query. Throws a 400 {@link Refusal}. */
export function parseListQuery(search: URLSearchParams): ListQuery {
  const names = [...search.keys()]
  if (new Set(names).size !== names.length) throw invalidInput('a query parameter is given twice')
  const query: unknown = Object.fromEntries(search)
  if (!listQuery.Check(query)) throw firstProblem(listQuery.Errors(query))
  if (query.starting_after !== undefined && query.ending_before !== undefined)
    throw invalidInput('starting_after and ending_before exclude each other')
  return {
    limit: query.limit === undefined ? LIST_LIMIT_DEFAULT : Number(query.limit),
    ...(query.starting_after === undefined ? {} : { startingAfter: query.starting_after }),
    ...(query.ending_before === undefined ? {} : { endingBefore: query.ending_before }),
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
