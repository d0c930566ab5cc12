import { AppError } from '../errors.ts'

/**
 * A link that can not be read, or that nobody should have made. The buyer is told to ask for a new one; what exactly is
 * wrong is for the log and for the link maker, so `reason` must never hold a buyer's data.
 */
export function malformedLink(reason: string): AppError {
  return new AppError('malformed-link', { details: { reason } })
}
