/** For buyers whose browsers ask for no locale that Intl knows. */
export const DEFAULT_LOCALE = 'en-US'

// Locales come from strangers and a formatter weighs tens of kilobytes: this bounds them at a few megabytes.
const MAX_FORMATTERS = 100

// Browsers send fewer than ten languages; a request could hold thousands.
const MAX_LANGUAGES = 20

const formatters = new Map<string, Intl.NumberFormat>()

function formatter(locale: string, currency?: string): Intl.NumberFormat {
  const key = `${locale} ${currency ?? ''}`
  const known = formatters.get(key)
  if (known !== undefined) return known
  const made = makeFormatter(locale, currency === undefined ? {} : { style: 'currency', currency })
  if (formatters.size >= MAX_FORMATTERS) {
    const oldest = formatters.keys().next()
    if (!oldest.done) formatters.delete(oldest.value)
  }
  formatters.set(key, made)
  return made
}

function makeFormatter(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  try {
    return new Intl.NumberFormat(locale, options)
  } catch {
    return new Intl.NumberFormat(DEFAULT_LOCALE, options)
  }
}

function fractionDigits(currency: string): number {
  return formatter(DEFAULT_LOCALE, currency).resolvedOptions().maximumFractionDigits ?? 2
}

function isCurrencyCode(currency: string): boolean {
  return /^[a-z]{3}$/i.test(currency)
}

/**
 * An amount as the locale writes it. `cents` is in the currency's smallest unit (cents for `usd`, whole yen for
 * `jpy`). An unknown locale falls back to the default one; what is not an ISO 4217 code is written behind the
 * number. Never throws.
 */
export function formatMoney(cents: number, currency: string, locale: string): string {
  if (!isCurrencyCode(currency)) return `${decimalAmount(cents, currency)} ${currency}`
  return formatter(locale, currency.toUpperCase()).format(
    cents / 10 ** fractionDigits(currency.toUpperCase()),
  )
}

/** The amount as plain decimal digits, `25.00`, for machines: structured data and previews. Never throws. */
export function decimalAmount(cents: number, currency: string): string {
  const digits = isCurrencyCode(currency) ? fractionDigits(currency.toUpperCase()) : 2
  return (cents / 10 ** digits).toFixed(digits)
}

/** A whole number as the locale writes it. Never throws. */
export function formatCount(count: number, locale: string): string {
  return formatter(locale).format(count)
}

/**
 * The first locale that Intl knows among the buyer's languages, which come most wanted first (`request.languages()`).
 * Extensions are cut off, since they change digits and calendars. `en-US` where none is known. Never throws.
 */
export function bestLocale(languages: readonly string[]): string {
  for (const tag of languages.slice(0, MAX_LANGUAGES)) {
    const locale = knownLocale(tag)
    if (locale !== undefined) return locale
  }
  return DEFAULT_LOCALE
}

function knownLocale(tag: string): string | undefined {
  try {
    const name = new Intl.Locale(tag).baseName
    return Intl.NumberFormat.supportedLocalesOf(name)[0]
  } catch {
    return undefined
  }
}
