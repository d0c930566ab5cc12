/** What a buyer reads whose browser asks for nothing that we know. */
export const DEFAULT_LOCALE = 'en-US'

// Locales come from strangers and a formatter weighs tens of kilobytes: this bounds them at a few megabytes.
const MAX_FORMATTERS = 100

// Browsers send well under a hundred characters; what stands beyond is not worth parsing.
const MAX_ACCEPT_LANGUAGE_LENGTH = 500

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
 * The buyer's most wanted locale of those that Intl knows, from an `Accept-Language` header (RFC 9110, 12.5.4).
 * Extensions are cut off, since they change digits and calendars. Safe for any input; `en-US` for none.
 */
export function bestLocale(acceptLanguage: string | undefined): string {
  if (acceptLanguage === undefined) return DEFAULT_LOCALE
  const wishes = acceptLanguage
    .slice(0, MAX_ACCEPT_LANGUAGE_LENGTH)
    .split(',')
    .map(parseWish)
    .filter((wish) => wish.weight > 0)
    .sort((a, b) => b.weight - a.weight)
  for (const { tag } of wishes) {
    const locale = knownLocale(tag)
    if (locale !== undefined) return locale
  }
  return DEFAULT_LOCALE
}

function parseWish(part: string): { tag: string; weight: number } {
  const [tag = '', ...parameters] = part.split(';').map((piece) => piece.trim())
  const weight = parameters.find((parameter) => /^q=/i.test(parameter))
  if (weight === undefined) return { tag, weight: 1 }
  return { tag, weight: /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i.test(weight) ? Number(weight.slice(2)) : 0 }
}

function knownLocale(tag: string): string | undefined {
  try {
    const name = new Intl.Locale(tag).baseName
    return Intl.NumberFormat.supportedLocalesOf(name)[0]
  } catch {
    return undefined
  }
}
