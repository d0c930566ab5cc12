/** Nothing that Dots says makes the shop wait longer than this for one refusal. */
const LONGEST_PAUSE_SECONDS = 120

/**
 * Reads a `Retry-After` header (RFC 9110, 10.2.3: seconds, or a date). Whole seconds from `now`, at most two minutes;
 * undefined for nonsense and for dates that have passed.
 */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text), LONGEST_PAUSE_SECONDS)
  // Only the date forms of RFC 9110 begin with a day's name; Date.parse alone would also read "3" or "-1" as dates.
  if (!/^(?:mon|tue|wed|thu|fri|sat|sun)/i.test(text)) return undefined
  const seconds = Math.ceil((Date.parse(text) - now.getTime()) / 1000)
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, LONGEST_PAUSE_SECONDS) : undefined
}
