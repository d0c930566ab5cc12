import type { ErrorCode, ErrorParams } from '../errors.ts'
// The language of all pages: another one is a file of its own beside this one, and is chosen on this line.
import { en as text } from './text/en.ts'

export { text }

// From two minutes on, minutes are easier to read.
const MAX_IN_SECONDS = 119

/** A wait in words: `1 second`, `30 seconds`, `3 minutes`. Rounded up, at least one second. */
export function waitingTime(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds))
  const [count, unit] = whole > MAX_IN_SECONDS ? [Math.ceil(whole / 60), 'minute'] : [whole, 'second']
  return new Intl.NumberFormat(text.lang, { style: 'unit', unit, unitDisplay: 'long' }).format(count)
}

/** The words of an error, by its code and parameters. */
export function errorText(code: ErrorCode, params: ErrorParams = {}) {
  const words = text.errors[code]
  return typeof words === 'function' ? words(params) : words
}
