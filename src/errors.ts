/** What the buyer may be offered beside the explanation. */
export interface ErrorDetails {
  /** The cause, for the log alone: it never reaches a page. */
  cause?: unknown
  /** Whole seconds after which trying again makes sense; becomes `Retry-After`. */
  retryAfterSeconds?: number | undefined
  /** Facts for the log line (never secrets, never a buyer's email). */
  facts?: Record<string, unknown>
}

/**
 * An error whose every public part is safe to show to a stranger. Subclasses fix `code`, `status` and `title`;
 * `message` is the sentence a buyer reads.
 */
export class AppError extends Error {
  /** Stable, lower-case, dash-separated: for `problem+json`, for the log and for tests. */
  readonly code: string
  /** HTTP status of the answer. */
  readonly status: number
  /** Headline of the page. */
  readonly title: string
  readonly retryAfterSeconds: number | undefined
  readonly facts: Record<string, unknown>

  constructor(code: string, status: number, title: string, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.name = new.target.name
    this.code = code
    this.status = status
    this.title = title
    this.retryAfterSeconds = details.retryAfterSeconds
    this.facts = details.facts ?? {}
  }

  /** Level of its one log line: strangers' mistakes are `info`, our own and the upstream's are above. */
  get logLevel(): 'debug' | 'info' | 'warn' | 'error' {
    return this.status >= 500 ? 'warn' : 'info'
  }
}
