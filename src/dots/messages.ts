/** Body of `POST /v2/checkout-sessions`, field for field as Dots documents it. Amounts are cents for one unit. */
export interface CreateSession {
  line_items: {
    price_data: {
      currency: string
      amount: number
      product_data: {
        name: string
        description?: string
        images?: string[]
        metadata?: Record<string, string>
      }
    }
    quantity: number
  }[]
  mode: 'payment'
  success_url: string
  cancel_url: string
  /** Seconds. */
  expires_in: number
  metadata: Record<string, string>
  customer_email?: string
  client_reference_id?: string
  customer_id?: string
  user_id?: string
}

/** Longest URL that we redirect to: browsers and proxies truncate or reject a longer header. */
const MAX_URL_LENGTH = 8_192
const MAX_ID_LENGTH = 200
const STATUSES = ['open', 'complete', 'expired'] as const
/** An error code is one short word; anything else may repeat what was sent, such as a buyer's email. */
const ERROR_CODE = /^[A-Za-z0-9_.-]{1,64}$/

/** What is read of a session. `amount_total` is in cents, `created` and `expiry` are ISO 8601 in UTC. */
export type Session = Partial<NonNullable<ReturnType<typeof parseSession>>>

/**
 * Reads a session; undefined where the body is not an object. Dots' published schema makes every field optional and
 * does not mention null, so a field that is missing or of another type is undefined and the others are still read.
 */
export function parseSession(body: unknown) {
  if (!isRecord(body)) return undefined
  return {
    id: text(body.id, MAX_ID_LENGTH),
    status: STATUSES.find((status) => status === body.status),
    payment_intent_id: text(body.payment_intent_id, MAX_ID_LENGTH),
    checkout_session_url: text(body.checkout_session_url, MAX_URL_LENGTH),
    expiry: utcTime(body.expiry),
    metadata: isRecord(body.metadata) ? body.metadata : undefined,
    customer_email: text(body.customer_email, 254),
    client_reference_id: text(body.client_reference_id, MAX_ID_LENGTH),
    amount_total: cents(body.amount_total),
    created: utcTime(body.created),
    success_url: text(body.success_url, MAX_URL_LENGTH),
  }
}

/** Reads one page of the list of sessions; undefined where it is not one. Entries that are no objects are skipped. */
export function parseSessionPage(body: unknown): { sessions: Session[]; hasMore: boolean } | undefined {
  if (!isRecord(body)) return undefined
  const { data, has_more: hasMore = false } = body
  if (!Array.isArray(data) || typeof hasMore !== 'boolean') return undefined
  return { sessions: data.map(parseSession).filter((session) => session !== undefined), hasMore }
}

/**
 * The error code in the body of an error response, or undefined where there is none that is safe to log. Dots does not
 * document where it is, so the usual places are tried in turn.
 */
export function errorCode(body: unknown): string | undefined {
  if (!isRecord(body)) return undefined
  const { code, error } = body
  const candidates = [code, isRecord(error) ? error.code : error]
  return candidates.find((value): value is string => typeof value === 'string' && ERROR_CODE.test(value))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown, maxLength: number): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= maxLength ? value : undefined
}

/** Digits in a string are read too: an amount that was left out would not be compared with the price. */
function cents(value: unknown): number | undefined {
  const amount = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof amount === 'number' && Number.isInteger(amount) ? amount : undefined
}

/**
 * The time as `Date.toISOString` writes it, because stored times are compared as strings. A time without a zone is UTC,
 * whatever the zone of this machine.
 */
function utcTime(value: unknown): string | undefined {
  const time = text(value, 40)
  if (time === undefined) return undefined
  const needsZone = time.includes('T') && !/(?:z|[+-]\d\d:?\d\d)$/i.test(time)
  const date = new Date(needsZone ? `${time}Z` : time)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
