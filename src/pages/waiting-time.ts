// Up to here a buyer counts seconds; beyond, minutes read better.
const LONGEST_IN_SECONDS = 119

/** A wait in the words of the pages: `1 second`, `30 seconds`, `3 minutes`. Rounded up, at least a second. */
export function waitingTime(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds))
  if (whole === 1) return '1 second'
  if (whole <= LONGEST_IN_SECONDS) return `${whole} seconds`
  return `${Math.ceil(whole / 60)} minutes`
}
