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

/** The start of a sale, in the zone that the catalog writes it in: `November 1, 2026 at 8:00 AM GMT+1`. */
export function saleStart(startsAt: string): string {
  const [offset = ''] = /[+-]\d\d:\d\d$/.exec(startsAt) ?? []
  const timeZone = offset === '' || offset === '-00:00' ? 'UTC' : offset
  const [dateStyle, timeStyle] = ['long', 'short'] as const
  const format = new Intl.DateTimeFormat(text.lang, { dateStyle, timeStyle, timeZone })
  return `${format.format(new Date(startsAt))} ${timeZone === 'UTC' ? 'UTC' : `UTC${offset}`}`
}

/** The words of an error, by its code and parameters. */
export function errorText(code: ErrorCode, params: ErrorParams = {}) {
  const words = text.errors[code]
  if (typeof words !== 'function') return words
  const { startsAt } = params
  return words({ ...params, startsAt: startsAt && saleStart(startsAt) })
}
