const UNITS: Record<string, number> = { m: 60, h: 3_600, d: 86_400 }

/**
 * Reads a length of time as people write it on a command line (`30m`, `24h`, `7d`), in seconds; undefined for anything
 * else.
 */
export function parsePeriod(text: string): number | undefined {
  const parts = /^([1-9]\d{0,5})([mhd])$/.exec(text)
  const unit = UNITS[parts?.[2] ?? '']
  return parts === null || unit === undefined ? undefined : Number(parts[1]) * unit
}

/** The moment that `--since` names: a period before now, or a time by itself (ISO 8601). Undefined for anything else. */
export function parseSince(text: string, now: Date): Date | undefined {
  const seconds = parsePeriod(text)
  if (seconds !== undefined) return new Date(now.getTime() - seconds * 1000)
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : new Date(time)
}
