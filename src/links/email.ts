/** RFC 5321 4.5.3.1: a path holds 256 octets, two of them the angle brackets. */
const MAX_LENGTH = 254
/** RFC 5321 4.5.3.1.1. */
const MAX_LOCAL_LENGTH = 64

/** The HTML standard's rule for `<input type=email>`, with a dot in the domain and no stray dots before the `@`. */
const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

/**
 * Whether a payment page will surely take this address. Strict on purpose: an address that is left out costs the
 * buyer some typing, one that the payment API refuses costs the sale.
 */
export function isEmail(text: string): boolean {
  if (text.length > MAX_LENGTH) return false
  const [local = '', domain = '', ...more] = text.split('@')
  if (more.length > 0 || local.length > MAX_LOCAL_LENGTH || !LOCAL.test(local)) return false
  const labels = domain.split('.')
  return labels.length >= 2 && labels.every((label) => LABEL.test(label))
}

/**
 * The address that was meant: surrounding blanks are gone, and a blank inside the part before the `@`, which no
 * address has, is the plus that a query decoder made it from.
 */
export function restoreEmail(text: string): string {
  const trimmed = text.trim()
  const at = trimmed.indexOf('@')
  return at < 0 ? trimmed : trimmed.slice(0, at).replaceAll(' ', '+') + trimmed.slice(at)
}
