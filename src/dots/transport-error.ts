import { errors } from 'undici'
import { AppError } from '../errors.ts'

/** Failures of the operating system that come before the first byte of a request has left. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EMFILE',
])

/** What OpenSSL and Node call a certificate that they do not accept, and a peer that speaks no TLS. */
const UNTRUSTED =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_OSSL_|EPROTO$|HOSTNAME_)/

/** Names what went wrong on the wire, by what it means for a session that may or may not exist now. */
export function transportError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const cause = error
  const code = codeOf(error)
  const details = { fault: code ?? (error instanceof Error ? error.name : 'unknown') }
  if (error instanceof errors.ConnectTimeoutError) return new AppError('dots-unreachable', { cause, details })
  if (error instanceof errors.ResponseExceededMaxSizeError || error instanceof errors.HTTPParserError) {
    return new AppError('dots-invalid-response', { cause, details })
  }
  if (code !== undefined && NEVER_SENT.has(code)) return new AppError('dots-unreachable', { cause, details })
  if (code !== undefined && UNTRUSTED.test(code))
    return new AppError('dots-certificate-rejected', { cause, details })
  if (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof Error && error.name === 'TimeoutError')
  ) {
    return new AppError('dots-timeout', { cause, details })
  }
  return new AppError('dots-connection-lost', { cause, details })
}

/** The code of an error, or of the first of several (a name with two addresses fails with one error for both). */
function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
