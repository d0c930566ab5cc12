import { AppError } from '../errors.ts'

/**
 * A link that can not be read, or that nobody should have made: 400. The buyer is told to ask for a new one; what
 * exactly is wrong is for the log and for the link maker, so `reason` must never hold a buyer's data.
 */
export class MalformedLinkError extends AppError {
  readonly reason: string

  constructor(reason: string) {
    super(
      'malformed-link',
      400,
      'This link does not work',
      'The link is incomplete or was damaged on its way. Please ask the shop for a new one.',
      { facts: { reason } },
    )
    this.reason = reason
  }
}
