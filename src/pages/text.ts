import type { ErrorCode, ErrorParams } from '../errors.ts'
import { type ErrorText, en, type Text } from './text/en.ts'

/** The words of all pages. Another language is one more file beside `text/en.ts`, and is chosen here. */
export const text: Text = en

// From two minutes on, minutes are easier to read.
const MAX_IN_SECONDS = 119

/** A wait in words: `1 second`, `30 seconds`, `3 minutes`. Rounded up, at least one second. */
export function waitingTime(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds))
  const [count, unit] = whole > MAX_IN_SECONDS ? [Math.ceil(whole / 60), 'minute'] : [whole, 'second']
  return new Intl.NumberFormat(text.lang, { style: 'unit', unit, unitDisplay: 'long' }).format(count)
}

/** What a person reads of an error, by its code and what it names. */
export function errorText(code: ErrorCode, params: ErrorParams = {}): ErrorText {
  const words = text.errors[code]
  return typeof words === 'function' ? words(params) : words
}
