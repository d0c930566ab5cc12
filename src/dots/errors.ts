import { AppError, type ErrorDetails } from '../errors.ts'

/** Shown with `Retry-After` where Dots did not say itself how long its trouble lasts. */
const DEFAULT_RETRY_SECONDS = 5

const TITLE = 'The checkout could not be opened'
const PASSING = 'The payment service is not answering right now. Please try again in a moment.'
const LASTING = 'The shop cannot open a checkout right now. Please tell the shop, it can put this right.'

/**
 * What a failed call to Dots leaves behind: `none`, surely no session; `maybe`, one may exist, and the sweep has to
 * look for it.
 */
export type SessionTrace = 'none' | 'maybe'

/** A call to Dots did not bring what it was made for. Every subclass is a 503 to a buyer. */
export class DotsError extends AppError {
  /** Of all attempts of the call together: a second one that was refused does not undo what a first one may have done. */
  trace: SessionTrace

  constructor(code: string, message: string, trace: SessionTrace, details: ErrorDetails) {
    super(code, 503, TITLE, message, details)
    this.trace = trace
  }
}

/** Nothing was sent: connection refused, name not found, connect timeout, certificate refused, no free connection. */
export class DotsUnreachableError extends DotsError {
  constructor(details: ErrorDetails) {
    super('dots-unreachable', PASSING, 'none', { retryAfterSeconds: DEFAULT_RETRY_SECONDS, ...details })
  }
}

/** The certificate of Dots (or of whoever answers in its place) was refused. Waiting does not mend it. */
export class DotsUntrustedError extends DotsError {
  constructor(details: ErrorDetails) {
    super('dots-untrusted', LASTING, 'none', details)
  }

  override get logLevel(): 'error' {
    return 'error'
  }
}

/** Sent, and no whole answer in time: late headers, late body, a reset connection. */
export class DotsTimeoutError extends DotsError {
  constructor(code: 'dots-timeout' | 'dots-connection-lost', details: ErrorDetails) {
    super(code, PASSING, 'maybe', { retryAfterSeconds: DEFAULT_RETRY_SECONDS, ...details })
  }
}

/** 409, 429 or 5xx: Dots is busy or broken for now. */
export class DotsUnavailableError extends DotsError {
  /** Seconds for which Dots, with 429 or 503, asked not to be called at all. */
  readonly pauseSeconds: number | undefined
  /** 409: this one resource was busy; Dots itself is well. */
  readonly isConflict: boolean

  constructor(
    trace: SessionTrace,
    {
      pauseSeconds,
      isConflict = false,
      ...details
    }: ErrorDetails & { pauseSeconds?: number | undefined; isConflict?: boolean },
  ) {
    super('dots-unavailable', PASSING, trace, {
      ...details,
      // "0 s" would be no wait at all, from somebody who has just said that it cannot answer.
      retryAfterSeconds: details.retryAfterSeconds || pauseSeconds || DEFAULT_RETRY_SECONDS,
    })
    this.pauseSeconds = pauseSeconds === 0 ? undefined : pauseSeconds
    this.isConflict = isConflict
  }
}

/** Not called: Dots asked for a pause that is not over. */
export class DotsPausedError extends DotsError {
  constructor(retryAfterSeconds: number) {
    super('dots-paused', PASSING, 'none', { retryAfterSeconds })
  }
}

/** Not called: too many calls have failed just now. */
export class DotsBreakerOpenError extends DotsError {
  constructor(retryAfterSeconds: number) {
    super('dots-breaker-open', PASSING, 'none', { retryAfterSeconds })
  }
}

/** Not called: there was no place among the calls in flight before the deadline. */
export class DotsBusyError extends DotsError {
  constructor() {
    super('dots-queue-full', PASSING, 'none', { retryAfterSeconds: DEFAULT_RETRY_SECONDS })
  }
}

/** 401 or 403: the merchant's key is wrong or blocked. */
export class DotsCredentialsError extends DotsError {
  constructor(details: ErrorDetails) {
    super('dots-credentials-refused', LASTING, 'none', details)
  }

  override get logLevel(): 'error' {
    return 'error'
  }
}

/** Any other refusal of the request (400, 404, 422, a redirect): ours or the catalog's fault, so waiting is no use. */
export class DotsRequestError extends DotsError {
  constructor(code: 'dots-request-refused' | 'dots-not-found', details: ErrorDetails) {
    super(code, LASTING, 'none', details)
  }

  override get logLevel(): 'error' {
    return 'error'
  }
}

/** A success that is none: not JSON, too large, without what a redirect needs. */
export class DotsNonsenseError extends DotsError {
  constructor(details: ErrorDetails) {
    super('dots-nonsense', PASSING, 'maybe', details)
  }

  override get logLevel(): 'error' {
    return 'error'
  }
}

/** The checkout URL is not one that a buyer may be sent to. */
export class DotsUnsafeUrlError extends DotsError {
  constructor(details: ErrorDetails) {
    super('dots-unsafe-url', LASTING, 'maybe', details)
  }

  override get logLevel(): 'error' {
    return 'error'
  }
}
