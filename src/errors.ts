import type { BaseLogger } from 'pino'

/** What the parts need of a logger, which may be that of a request. */
export type Log = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>

/** What follows from an error, wherever it happens. The words for each code stand in `pages/text/<language>.ts`. */
export interface ErrorKind {
  /** HTTP status of the answer. */
  readonly status: number
  /** Level of its one log line; `warn` from status 500 on and `info` below where it is absent. */
  readonly log?: 'debug' | 'info' | 'warn' | 'error'
  /** Calling Dots once more may help. */
  readonly retry?: boolean
  /** Dots is down or overloaded: the failure counts towards the circuit breaker. */
  readonly outage?: boolean
  /** The call may have made a session all the same, so the sweep has to look for it. */
  readonly sessionMayExist?: boolean
  /** Seconds for `Retry-After` where the place of the error knows none. */
  readonly retryAfterSeconds?: number
}

// Shown with `Retry-After` where Dots did not say itself how long its trouble lasts.
const DEFAULT_RETRY_SECONDS = 5

const PASSING = { status: 503, retryAfterSeconds: DEFAULT_RETRY_SECONDS }
const DOWN = { ...PASSING, retry: true, outage: true }

/** Every error that a buyer, a merchant or Dots can cause. Codes are stable: they stand in answers, logs and tests. */
export const ERROR_KINDS = {
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
  /** Malformed ids get the same answer, so that nothing can be learnt by trying. */
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
  /** Anybody can send these as fast as they like: a line for each would bury the log. */
  'unsigned-event': { status: 401, log: 'debug' },
  /** The sender keeps the event and sends it again. */
  'event-not-stored': { status: 503 },
  /** A bug of ours. The page says nothing of it, the log has the stack. */
  unexpected: { status: 500, log: 'error' },

  /** Nothing was sent: connection refused, name not found, connect timeout. */
  'dots-unreachable': DOWN,
  'dots-certificate-rejected': { status: 503, log: 'error' },
  'dots-timeout': { ...DOWN, sessionMayExist: true },
  /** The connection ended before the whole answer had come. */
  'dots-connection-lost': { ...DOWN, sessionMayExist: true },
  /** 409: this one resource was busy; Dots itself is well. */
  'dots-conflict': { ...PASSING, retry: true },
  /** 429. */
  'dots-rate-limited': DOWN,
  /** 5xx: a gateway's 5xx does not tell whether Dots behind it had finished. */
  'dots-unavailable': { ...DOWN, sessionMayExist: true },
  /** Not called: Dots asked for a pause that is not over. */
  'dots-paused': PASSING,
  /** Not called: too many calls have failed just now. */
  'dots-breaker-open': PASSING,
  /** Not called: there was no slot among the calls in flight before the deadline. */
  'dots-queue-full': PASSING,
  /** 401 or 403: the merchant's key is wrong or blocked. */
  'dots-credentials-refused': { status: 503, log: 'error' },
  /** Any other refusal (400, 422, a redirect): ours or the catalog's fault, so waiting is no use. */
  'dots-request-refused': { status: 503, log: 'error' },
  'dots-not-found': { status: 503, log: 'error' },
  /** A success that is none: not JSON, too large, without what a redirect needs. */
  'dots-invalid-response': { status: 503, log: 'error', sessionMayExist: true },
  /** The checkout URL is not one that a buyer may be sent to. */
  'dots-unsafe-url': { status: 503, log: 'error', sessionMayExist: true },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

/** What the words of an error may name. All of it is safe to show to a stranger. */
export interface ErrorParams {
  /** Of the product. */
  name?: string
  /** The merchant's own message about the product. */
  note?: string
  /** How many units one order may hold. */
  minimum?: number
  maximum?: number
}

export interface ErrorOptions {
  params?: ErrorParams
  /** What caused it, for the log alone: it never reaches a page. */
  cause?: unknown
  /** Whole seconds after which trying again makes sense; becomes `Retry-After`. */
  retryAfterSeconds?: number
  /** Seconds for which Dots asked not to be called at all. */
  pauseSeconds?: number
  /** Where the place of the error knows better than the list. */
  sessionMayExist?: boolean
  /** For the log line: never a secret, an email or a query. */
  details?: Record<string, unknown>
}

/** An expected error by its code. `message` is the code: the words depend on who reads them, and in which language. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly params: ErrorParams
  readonly retryAfterSeconds: number | undefined
  readonly pauseSeconds: number | undefined
  /** Of all attempts of a call together: a second one that was refused does not undo what a first may have done. */
  sessionMayExist: boolean
  readonly details: Record<string, unknown>

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    super(code, { cause: options.cause })
    const kind: ErrorKind = ERROR_KINDS[code]
    this.code = code
    this.kind = kind
    this.params = options.params ?? {}
    this.retryAfterSeconds = options.retryAfterSeconds ?? kind.retryAfterSeconds
    this.pauseSeconds = options.pauseSeconds
    this.sessionMayExist = options.sessionMayExist ?? kind.sessionMayExist ?? false
    this.details = options.details ?? {}
  }

  get status(): number {
    return this.kind.status
  }

  get logLevel(): 'debug' | 'info' | 'warn' | 'error' {
    return this.kind.log ?? (this.status >= 500 ? 'warn' : 'info')
  }
}

/** Whether a call to Dots did not bring what it was made for. */
export function isDotsError(error: unknown): error is AppError {
  return error instanceof AppError && error.code.startsWith('dots-')
}

/** Whether it is an expected error with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is AppError {
  return error instanceof AppError && codes.includes(error.code)
}
