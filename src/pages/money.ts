/** For buyers whose browsers ask for no locale that Intl knows. */
const DEFAULT_LOCALE = 'en-US'

// Locales come from request headers and a formatter takes tens of kilobytes: a few megabytes in all.
const MAX_FORMATTERS = 100

// Browsers send fewer than ten languages; a request could hold thousands.
const MAX_LANGUAGES = 20

const formatters = new Map<string, Intl.NumberFormat>()

function formatter(locale: string, currency?: string): Intl.NumberFormat {
  const key = `${locale} ${currency}`
  const known = formatters.get(key)
  if (known !== undefined) return known
  const [oldest] = formatters.keys()
  if (oldest !== undefined && formatters.size >= MAX_FORMATTERS) formatters.delete(oldest)
  const made = new Intl.NumberFormat(bestLocale([locale]), currency ? { style: 'currency', currency } : {})
  formatters.set(key, made)
  return made
}

function isCurrencyCode(currency: string): boolean {
  return /^[a-z]{3}$/i.test(currency)
}

/** Digits after the point; 2 for what is not an ISO 4217 code. */
function fractionDigits(currency: string): number {
  if (!isCurrencyCode(currency)) return 2
  return formatter(DEFAULT_LOCALE, currency).resolvedOptions().maximumFractionDigits ?? 2
}

/**
 * An amount as the locale writes it. `cents` is in the currency's smallest unit (cents for `usd`, whole yen
 * for `jpy`). An unknown locale falls back to `en-US`; what is not an ISO 4217 code is written after the
 * number. Never throws.
 */
export function formatMoney(cents: number, currency: string, locale: string): string {
  if (!isCurrencyCode(currency)) return `${decimalAmount(cents, currency)} ${currency}`
  return formatter(locale, currency).format(cents / 10 ** fractionDigits(currency))
}

/** The amount as plain decimal digits, `25.00`, for machines: structured data and previews. Never throws. */
export function decimalAmount(cents: number, currency: string): string {
  const digits = fractionDigits(currency)
  return (cents / 10 ** digits).toFixed(digits)
}

/** A whole number as the locale writes it. Never throws. */
export function formatCount(count: number, locale: string): string {
  return formatter(locale).format(count)
}

/**
 * The first locale that Intl knows among the buyer's languages, in order of preference
 * (`request.languages()`). Extensions are cut off, since they change digits and calendars. `en-US` where none
 * is known. Never throws.
 */
export function bestLocale(languages: readonly string[]): string {
  for (const tag of languages.slice(0, MAX_LANGUAGES)) {
    try {
      const [locale] = Intl.NumberFormat.supportedLocalesOf(new Intl.Locale(tag).baseName)
      if (locale !== undefined) return locale
    } catch {
      // Not a language tag.
    }
  }
  return DEFAULT_LOCALE
}
