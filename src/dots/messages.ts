import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

/** Body of `POST /v2/checkout-sessions`, field for field what Dots documents. Amounts are cents for one unit. */
export const CreateSessionSchema = Type.Object({
  line_items: Type.Array(
    Type.Object({
      price_data: Type.Object({
        currency: Type.String(),
        amount: Type.Integer(),
        product_data: Type.Object({
          name: Type.String(),
          description: Type.Optional(Type.String()),
          images: Type.Optional(Type.Array(Type.String())),
          metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
        }),
      }),
      quantity: Type.Integer(),
    }),
  ),
  mode: Type.Literal('payment'),
  success_url: Type.String(),
  cancel_url: Type.String(),
  expires_in: Type.Integer(),
  metadata: Type.Record(Type.String(), Type.String()),
  customer_email: Type.Optional(Type.String()),
  client_reference_id: Type.Optional(Type.String()),
  customer_id: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String()),
})
export type CreateSession = Static<typeof CreateSessionSchema>

/** Longest address that we redirect to: beyond it browsers and proxies cut or refuse the header. */
const LONGEST_URL = 8_192

/**
 * What is read of a session. Dots' published schema makes every field optional and says nothing of null, so each
 * field is looked at alone: one that is absent or of another type is left out, and costs nobody a sale.
 */
const SessionFields = {
  id: Type.String({ minLength: 1, maxLength: 200 }),
  status: Type.Union([Type.Literal('open'), Type.Literal('complete'), Type.Literal('expired')]),
  payment_intent_id: Type.String({ minLength: 1, maxLength: 200 }),
  checkout_session_url: Type.String({ minLength: 1, maxLength: LONGEST_URL }),
  expiry: Type.String({ maxLength: 40 }),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  customer_email: Type.String({ minLength: 1, maxLength: 254 }),
  client_reference_id: Type.String({ maxLength: 200 }),
  amount_total: Type.Integer(),
  created: Type.String({ maxLength: 40 }),
  success_url: Type.String({ maxLength: LONGEST_URL }),
}
export const SessionSchema = Type.Partial(Type.Object(SessionFields))
export type Session = Static<typeof SessionSchema>

const fieldValidators = Object.entries(SessionFields).map(
  ([name, schema]) => [name, Compile(schema)] as const,
)
const sessionValidator = Compile(SessionSchema)
const objectValidator = Compile(Type.Record(Type.String(), Type.Unknown()))
const pageValidator = Compile(
  Type.Object({ data: Type.Array(Type.Unknown()), has_more: Type.Optional(Type.Boolean()) }),
)

/** Reads a session; undefined where the answer is no object at all. */
export function parseSession(body: unknown): Session | undefined {
  if (!objectValidator.Check(body) || Array.isArray(body)) return undefined
  const known: Record<string, unknown> = {}
  for (const [name, validator] of fieldValidators) {
    if (Object.hasOwn(body, name) && validator.Check(body[name])) known[name] = body[name]
  }
  // A paid amount that stands there as text must not pass for one that Dots did not say: it is compared with the asked.
  const amount = Object.hasOwn(body, 'amount_total') ? body.amount_total : undefined
  if (typeof amount === 'string' && /^\d{1,15}$/.test(amount)) known.amount_total = Number(amount)
  for (const name of ['created', 'expiry']) {
    if (known[name] !== undefined) known[name] = dotsTime(String(known[name]))
    if (known[name] === undefined) delete known[name]
  }
  return sessionValidator.Parse(known)
}

/**
 * A time of Dots the way ours are written (ISO 8601, UTC, milliseconds), since they are compared as texts. One without a
 * zone is taken as UTC, wherever this machine stands; undefined for what is no time.
 */
function dotsTime(text: string): string | undefined {
  const hasZone = /(?:z|[+-]\d\d:?\d\d)$/i.test(text)
  const time = Date.parse(hasZone || !text.includes('T') ? text : `${text}Z`)
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}

/** One page of the list of sessions; undefined where the answer is not one. */
export function parseSessionPage(body: unknown): { sessions: Session[]; hasMore: boolean } | undefined {
  if (!pageValidator.Check(body)) return undefined
  const sessions = body.data.map(parseSession).filter((session) => session !== undefined)
  return { sessions, hasMore: body.has_more === true }
}

const codeValidator = Compile(Type.Object({ code: Type.String() }))
const errorValidator = Compile(Type.Object({ error: Type.Unknown() }))

/** The error code in a refusal, wherever the (undocumented) envelope keeps it, made safe for a log line. */
export function refusalCode(body: unknown): string | undefined {
  const error = errorValidator.Check(body) ? body.error : undefined
  const places = [codeIn(body), codeIn(error), error]
  // A code is a short word; anything else may hold what was sent, a buyer's email among it.
  return places.find(
    (place): place is string => typeof place === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(place),
  )
}

function codeIn(body: unknown): string | undefined {
  return codeValidator.Check(body) ? body.code : undefined
}
