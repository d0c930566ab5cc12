import type { BaseLogger } from 'pino'

/** The methods of a logger that the service uses. It may be the logger of a request. */
export type Log = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>

/** How every error with this code is handled. */
interface ErrorKind {
  readonly status: number
  /** Level of its one log line: by default `warn` from status 500 on, `info` below. */
  readonly log?: 'debug' | 'info' | 'warn' | 'error'
  /** Calling Dots once more may help. */
  readonly retry?: boolean
  /** Dots is down or overloaded: the failure counts towards the circuit breaker. */
  readonly outage?: boolean
  /** The answer did not come from Dots, so it says nothing about the health of Dots. */
  readonly isForeign?: boolean
  /** The call may have made a session all the same, so the sweep has to look for it. */
  readonly sessionMayExist?: boolean
  /** `Retry-After`, in seconds, where the error itself has none. */
  readonly retryAfterSeconds?: number
}

const PASSING = { status: 503, retryAfterSeconds: 5 }
const DOWN = { ...PASSING, retry: true, outage: true }
const BROKEN = { status: 503, log: 'error' } as const

/**
 * Every error that a buyer, a merchant or Dots can cause. Codes are stable: they are in responses and logs. The words for
 * each are in `pages/text/<language>.ts`.
 */
const ERROR_KINDS = {
  'unknown-sku': { status: 404 },
  'product-inactive': { status: 410 },
  'product-not-yet': { status: 410 },
  'product-ended': { status: 410 },
  'product-sold-out': { status: 410 },
  'bad-quantity': { status: 400 },
  'malformed-link': { status: 400 },
  /** A signed link that is not as the merchant made it. */
  'link-changed': { status: 403 },
  'link-expired': { status: 410 },
  'link-used-up': { status: 410 },
  /** Malformed ids get the same response, so that guessing reveals nothing. */
  'unknown-checkout': { status: 404 },

  'not-found': { status: 404 },
  'bad-request': { status: 400 },
  'method-not-allowed': { status: 405 },
  'body-too-large': { status: 413 },
  'url-too-long': { status: 414 },
  'malformed-url': { status: 400 },
  'unsupported-form': { status: 415 },
  'too-many-attempts': { status: 429 },
  overloaded: { status: 503 },
  /** Anyone can send these in any number, which would fill the log. */
  'unsigned-event': { status: 401, log: 'debug' },
  /** The sender keeps the event and sends it again. */
  'event-not-stored': { status: 503 },
  /** A bug of ours. The log has the stack, the page does not show it. */
  unexpected: { status: 500, log: 'error' },

  /** Nothing was sent: connection refused, name not found, connect timeout. */
  'dots-unreachable': DOWN,
  'dots-certificate-rejected': { ...BROKEN, isForeign: true },
  'dots-timeout': { ...DOWN, sessionMayExist: true },
  /** The connection ended before the whole answer had come. */
  'dots-connection-lost': { ...DOWN, sessionMayExist: true },
  /** 409: only this one resource was busy. */
  'dots-conflict': { ...PASSING, retry: true },
  'dots-rate-limited': DOWN,
  /** 5xx: it may come from a gateway, and Dots behind it may have finished. */
  'dots-unavailable': { ...DOWN, sessionMayExist: true },
  /** Not called: a pause that Dots requested is not over. */
  'dots-paused': PASSING,
  /** Not called: too many calls have failed just now. */
  'dots-breaker-open': PASSING,
  /** Not called: there was no slot among the calls in flight before the deadline. */
  'dots-queue-full': PASSING,
  /** 401, or 403 with JSON: the merchant's key is wrong or blocked. */
  'dots-credentials-refused': BROKEN,
  /** 403 without JSON: a firewall in front of Dots, which knows no credentials. */
  'dots-blocked': { ...BROKEN, isForeign: true },
  /** 404 or 405 for a URL that every API of Dots has: DOTS_API_URL is wrong. */
  'dots-wrong-address': BROKEN,
  /** Any other refusal (400, 422, a redirect): our fault or the catalog's, so a retry does not help. */
  'dots-request-refused': BROKEN,
  /** 404 for one session. */
  'dots-not-found': BROKEN,
  /** Status 2xx with a body of no use: not JSON, too large, without what a redirect needs. */
  'dots-invalid-response': { ...BROKEN, sessionMayExist: true },
  /** The checkout URL is not one that a buyer may be sent to. */
  'dots-unsafe-url': { ...BROKEN, sessionMayExist: true },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

/** Values for the text of an error page: all about a product, and safe to show to anybody. */
export interface ErrorParams {
  name?: string
  /** The merchant's own message about the product. */
  note?: string
  /** How many units one order may hold. */
  minimum?: number
  maximum?: number
  /** When the sale starts, as the catalog writes it: RFC 3339. */
  startsAt?: string
}

interface AppErrorOptions extends Pick<ErrorKind, 'sessionMayExist' | 'retryAfterSeconds'> {
  params?: ErrorParams
  /** What caused it. It never reaches a page. */
  cause?: unknown
  /** Seconds for which Dots requested no calls. */
  pauseSeconds?: number
  /** For the log line: never a secret, an email or a query. */
  details?: Record<string, unknown>
}

/** An expected error, identified by its code. `message` is the code; the text for people is in `pages/text/`. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly params: ErrorParams
  readonly retryAfterSeconds?: number
  readonly pauseSeconds?: number
  /** True if any attempt of the call may have created a session, even if a later attempt was refused. */
  sessionMayExist: boolean
  readonly details: Record<string, unknown>
  logLevel: NonNullable<ErrorKind['log']>

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(code, { cause: options.cause })
    this.code = code
    this.kind = ERROR_KINDS[code]
    this.params = options.params ?? {}
    this.retryAfterSeconds = options.retryAfterSeconds ?? this.kind.retryAfterSeconds
    this.pauseSeconds = options.pauseSeconds
    this.sessionMayExist = options.sessionMayExist ?? this.kind.sessionMayExist ?? false
    this.details = options.details ?? {}
    this.logLevel = this.kind.log ?? (this.status >= 500 ? 'warn' : 'info')
  }

  get status(): number {
    return this.kind.status
  }
}

/** Whether this is the error of a failed call to Dots. */
export function isDotsError(error: unknown): error is AppError {
  return error instanceof AppError && error.code.startsWith('dots-')
}

/**
 * Why something failed, for a log line: the code where the cause is outside of the program. Otherwise it is a bug of ours,
 * also where Node reports it with a code of its own (`ERR_…`), and its stack is needed.
 */
export function loggedCause(error: unknown): { code: string } | { err: unknown } {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && !code.startsWith('ERR_') ? { code } : { err: error }
}

export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is AppError {
  return error instanceof AppError && codes.includes(error.code)
}
