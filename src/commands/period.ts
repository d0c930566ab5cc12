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

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/i

/**
 * Reads a day or a time (ISO 8601; a blank will do for the T). Without a zone it is UTC, as everything that the commands
 * print is, and the same on every machine. Undefined for anything else.
 */
export function parseTime(text: string): Date | undefined {
  const [whole, day, clock = '00:00', zone = 'Z'] = TIME.exec(text) ?? []
  const time = whole === undefined ? Number.NaN : Date.parse(`${day}T${clock}${zone}`)
  return Number.isNaN(time) ? undefined : new Date(time)
}

/** The moment that `--since` names: a period before now, or a time by itself. Undefined for anything else. */
export function parseSince(text: string, now: Date): Date | undefined {
  const seconds = parsePeriod(text)
  if (seconds !== undefined) return new Date(now.getTime() - seconds * 1000)
  return parseTime(text)
}
