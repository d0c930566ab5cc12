import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { bestLocale, decimalAmount, formatCount, formatMoney } from '../../src/pages/money.ts'
import { anyText } from '../links/any-text.ts'

describe('formatMoney', () => {
  test('cents are written as the locale writes them', () => {
    expect(formatMoney(250_000, 'usd', 'en-US')).toBe('$2,500.00')
    expect(formatMoney(250_000, 'usd', 'de-DE')).toBe('2.500,00\u00a0$')
    expect(formatMoney(1, 'usd', 'en-US')).toBe('$0.01')
  })

  test('a currency without cents is not divided', () => {
    expect(formatMoney(2500, 'jpy', 'en-US')).toBe('¥2,500')
    expect(decimalAmount(2500, 'jpy')).toBe('2500')
    expect(decimalAmount(2505, 'usd')).toBe('25.05')
  })

  test('an unknown locale or currency still shows the amount', () => {
    expect(formatMoney(2500, 'usd', 'no such locale')).toBe('$25.00')
    expect(formatMoney(2500, 'dollars', 'en-US')).toBe('25.00 dollars')
  })

  test('no amount, currency or locale makes it throw', () => {
    fc.assert(
      fc.property(fc.double(), fc.string(), fc.string(), (cents, currency, locale) => {
        expect(typeof formatMoney(cents, currency, locale)).toBe('string')
        expect(typeof formatCount(cents, locale)).toBe('string')
      }),
    )
  })

  test('at most a hundred formatters are kept, however many locales are requested', () => {
    const locales = Array.from({ length: 1000 }, (_, count) => `xx-${count}`)
    for (const locale of locales) formatMoney(1, 'usd', locale)
    const made = vi.spyOn(Intl, 'NumberFormat')
    try {
      for (const locale of locales.slice(-90)) formatMoney(1, 'usd', locale)
      const again = made.mock.calls.length
      expect(again).toBeLessThanOrEqual(2)
      // Earlier ones were dropped: each is made anew.
      for (const locale of locales.slice(-300, -100)) formatMoney(1, 'usd', locale)
      expect(made.mock.calls.length - again).toBeGreaterThanOrEqual(200)
    } finally {
      made.mockRestore()
    }
    expect(formatMoney(2500, 'usd', 'en-US')).toBe('$25.00')
  })
})

describe('bestLocale', () => {
  test.each([
    [[], 'en-US'],
    [['*'], 'en-US'],
    [['de-AT', 'de', 'en'], 'de-AT'],
    [['ar-u-nu-latn'], 'ar'],
    [['not_a_tag', 'pt-BR'], 'pt-BR'],
    [['xx-nowhere'], 'en-US'],
    [["<script>'\u0000"], 'en-US'],
  ])('%j gives %s', (languages, locale) => {
    expect(bestLocale(languages)).toBe(locale)
  })

  test('any languages give a locale that Intl takes', () => {
    const language = fc.oneof(anyText(), fc.stringMatching(/^[a-zA-Z0-9.*-]*$/))
    fc.assert(
      fc.property(fc.array(language), (languages) => {
        expect(() => new Intl.NumberFormat(bestLocale(languages))).not.toThrow()
      }),
    )
  })

  test('only the first of thousands of languages are read', () => {
    expect(bestLocale([...Array.from({ length: 10_000 }, () => 'xx'), 'de'])).toBe('en-US')
  })
})
