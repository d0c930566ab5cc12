import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/errors.ts'
import {
  buyPath,
  encodeSku,
  formatPermalink,
  MAX_CART_ITEMS,
  makeCart,
  parseItems,
} from '../../src/links/cart.ts'
import { anyText } from './any-text.ts'

const encoded = (sku: string | Uint8Array) => `~${Buffer.from(sku).toString('base64url')}`
const sku = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 64 })
  .filter((text) => text.isWellFormed() && !/\p{Cc}/u.test(text))
const cart = fc.uniqueArray(fc.record({ sku, quantity: fc.integer({ min: 1, max: 1_000_000 }) }), {
  minLength: 1,
  maxLength: 20,
  selector: (item) => item.sku,
})

describe('the items segment of a path', () => {
  test('a single pair is a permalink', () => {
    expect(parseItems('tee:2')).toEqual({ form: 'permalink', cart: [{ sku: 'tee', quantity: 2 }] })
  })

  test('pairs are joined by commas and keep their order', () => {
    expect(parseItems('tee:2,mug:1')).toEqual({
      form: 'permalink',
      cart: [
        { sku: 'tee', quantity: 2 },
        { sku: 'mug', quantity: 1 },
      ],
    })
  })

  test('quantities of one sku are summed at its first place, in both of its spellings', () => {
    expect(parseItems(`tee:2,mug:1,${encoded('tee')}:3`)).toEqual({
      form: 'permalink',
      cart: [
        { sku: 'tee', quantity: 5 },
        { sku: 'mug', quantity: 1 },
      ],
    })
  })

  test('a segment without a quantity is one bare sku, whatever its characters', () => {
    expect(parseItems('tee-black-m')).toEqual({ form: 'bare', sku: 'tee-black-m' })
    expect(parseItems('Größe+M')).toEqual({ form: 'bare', sku: 'Größe+M' })
  })

  test('a bare token is the sku that it encodes', () => {
    expect(parseItems(encoded('a:b'))).toEqual({ form: 'bare', sku: 'a:b' })
    expect(parseItems(encoded('tee'))).toEqual({ form: 'bare', sku: 'tee' })
  })

  test('a sku with a colon or a comma needs its token', () => {
    expect(parseItems(`${encoded('a:1,b')}:2`)).toEqual({
      form: 'permalink',
      cart: [{ sku: 'a:1,b', quantity: 2 }],
    })
    expect(() => parseItems('a:b')).toThrow('malformed-link')
  })

  test.each([
    'tee:0',
    'tee:-1',
    'tee:1.5',
    'tee:01',
    'tee:+1',
    'tee: 1',
    'tee:1 ',
    'tee:0x1',
    'tee:1e3',
    'tee:٢',
    'tee:',
    ':1',
    ':',
    ',',
    'tee:2,',
    ',tee:2',
    'a:1,,b:2',
    'a:1,b',
    'a,b:1',
    'a,b',
    'a:1:2',
    'a;b:1',
    'é:1',
    'a b:1',
    'a+b:1',
    'a/b:1',
    'a~b:1',
    '"a":1',
    'x:99999999999999999999',
  ])('%j is a malformed permalink: 400', (segment) => {
    expect(() => parseItems(segment)).toThrow(
      expect.objectContaining({ code: 'malformed-link', status: 400 }),
    )
  })

  test('a sum beyond the safe integers is refused', () => {
    expect(() => parseItems(`a:${Number.MAX_SAFE_INTEGER},a:1`)).toThrow('malformed-link')
  })

  test('a link with too many products is refused', () => {
    const pairs = Array.from({ length: MAX_CART_ITEMS + 1 }, (_, n) => `sku${n}:1`)
    expect(() => parseItems(pairs.join(','))).toThrow('malformed-link')
    expect(parseItems(pairs.slice(1).join(','))).toMatchObject({ form: 'permalink' })
  })

  test.each([
    ['an empty token', '~'],
    ['padding', '~dGVl='],
    ['a lost character', '~dGV'],
    ['the other base64 alphabet', '~8J+Yig'],
    ['stray bits', '~dGVlcx'],
    ['a length that no bytes have', '~dGVle'],
    ['bytes that are not UTF-8', encoded(Uint8Array.of(0xc3, 0x28))],
    ['bytes that UTF-8 never has', encoded(Uint8Array.of(0xff, 0xfe))],
    ['an overlong UTF-8 form', encoded(Uint8Array.of(0xc0, 0xaf))],
    ['a control character', encoded('a\nb')],
    ['a C1 control character', encoded('a\u0085b')],
    ['a character outside of the alphabet', '~dG!l'],
  ])('a token with %s is refused, bare and in a permalink', (_, token) => {
    expect(() => parseItems(token)).toThrow('malformed-link')
    expect(() => parseItems(`${token}:1`)).toThrow('malformed-link')
  })

  test.each(['', 'a\nb', '\0', '\ud800'])('%j names no sku', (segment) => {
    expect(() => parseItems(segment)).toThrow('malformed-link')
  })

  test('no segment throws anything but an AppError', () => {
    const piece = fc.constantFrom('~', ':', ',', 'tee', '0', '1', '=', 'dGVl', '.', '\ud800', 'é', '%')
    const segment = fc.oneof(
      anyText(),
      fc.array(piece).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(segment, (text) => {
        try {
          const items = parseItems(text)
          if (items.form === 'bare') encodeSku(items.sku)
          else formatPermalink(items.cart)
        } catch (error) {
          expect(error).toBeInstanceOf(AppError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('formatting', () => {
  test('a sku that the standard allows is used unchanged', () => {
    expect(encodeSku('tee-black_m.2')).toBe('tee-black_m.2')
  })

  test.each(['a b', 'é', '~a', 'a/b', 'a:b', 'a,b', 'a%2F'])('%j becomes a token', (text) => {
    expect(encodeSku(text)).toBe(encoded(text))
  })

  test.each(['.', '..'])('%j becomes a token, since URL parsers remove it', (text) => {
    expect(encodeSku(text)).toBe(encoded(text))
    expect(new URL(`https://shop.example/buy/${encodeSku(text)}`).pathname).toBe(`/buy/${encoded(text)}`)
  })

  test.each(['', '\ud800', 'a\tb'])('%j cannot be formatted', (text) => {
    expect(() => encodeSku(text)).toThrow('malformed-link')
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('%d is no quantity', (quantity) => {
    expect(() => makeCart([{ sku: 'tee', quantity }])).toThrow('malformed-link')
  })

  test('an empty cart cannot be formatted', () => {
    expect(() => formatPermalink([])).toThrow('malformed-link')
  })

  test('the plain link to a cart has no quantity for one unit of one product', () => {
    expect(buyPath([{ sku: 'tee', quantity: 1 }])).toBe('/buy/tee')
    expect(buyPath([{ sku: 'tee', quantity: 2 }])).toBe('/buy/tee:2')
    expect(buyPath(['a b', 'mug'].map((sku) => ({ sku, quantity: 1 })))).toBe('/buy/~YSBi:1,mug:1')
    expect(() => buyPath([])).toThrow('malformed-link')
  })

  test('what was formatted parses to the same cart', () => {
    fc.assert(
      fc.property(cart, (items) => {
        expect(parseItems(formatPermalink(items))).toEqual({ form: 'permalink', cart: items })
      }),
    )
  })

  test('the form is canonical, and a URL parser and one percent-decoding do not change it', () => {
    fc.assert(
      fc.property(cart, (items) => {
        const printed = formatPermalink(items)
        const url = new URL(`https://shop.example/buy/${printed}`)
        expect(decodeURIComponent(url.pathname.slice('/buy/'.length))).toBe(printed)
        const spelledOut = items.map((item) => `${encoded(item.sku)}:${item.quantity}`).join(',')
        const read = parseItems(spelledOut)
        expect(read.form === 'permalink' && formatPermalink(read.cart)).toBe(printed)
      }),
    )
  })

  test('any sku is read back from its token', () => {
    fc.assert(
      fc.property(sku, (text) => {
        expect(parseItems(encodeSku(text))).toEqual({ form: 'bare', sku: text })
      }),
    )
  })
})
