import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { resolveContinueTo } from '../../src/links/continue-to.ts'
import { anyText } from './any-text.ts'

const shop = new URL('https://shop.example')
const resolve = (raw: string) => resolveContinueTo(raw, shop)

describe('continue_to', () => {
  test('a path of our origin is kept, with its query', () => {
    expect(resolve('/')).toBe('/')
    expect(resolve('/products/tee?size=m')).toBe('/products/tee?size=m')
  })

  test('the canonical path is given, not the raw value', () => {
    expect(resolve('/a/../products/./tée')).toBe('/products/t%C3%A9e')
    expect(resolve('/%2e%2e/x')).toBe('/x')
  })

  test('a fragment is dropped', () => {
    expect(resolve('/products/tee#top')).toBe('/products/tee')
  })

  test.each([
    '',
    'products',
    '?a',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/a\\b',
    '/\t/evil.example',
    '/\n/evil.example',
    ' /a',
    '/a b',
    '/a\u00a0b',
    '/a\u2028b',
    '/a\0',
    '/a\u007f',
    'https://evil.example',
    'https://shop.example/',
    'javascript:alert(1)',
    '/javascript:alert(1)',
    '/https://evil.example',
    '/.//evil.example',
    '/..//evil.example',
    '/%2e//evil.example',
    '/a/..//evil.example',
    '/\ud800',
    '/products/tee\n',
    '/x?next=https://evil.example',
    '%2Fproducts',
  ])('%j counts as absent', (raw) => {
    expect(resolve(raw)).toBeUndefined()
  })

  test('a value that is too long counts as absent', () => {
    expect(resolve(`/${'a'.repeat(5000)}`)).toBeUndefined()
  })

  test.each([
    '/buy',
    '/buy/',
    '/buy/tee',
    '/buy?continue_to=/buy',
    '/x/../buy/tee',
    '/%62uy/tee',
    '/buy%2Ftee',
  ])('%j leads to another buy link and counts as absent', (raw) => {
    expect(resolve(raw)).toBeUndefined()
  })

  test('a page whose path only begins like the buy route is kept', () => {
    expect(resolve('/buying-guide')).toBe('/buying-guide')
  })

  test('no value leads to another origin', () => {
    const piece = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '%2e',
      '%2F',
      '%5C',
      '@',
      ':',
      '//',
      '\t',
      '?',
      '#',
      'evil.example',
    )
    const value = fc.oneof(
      anyText().map((text) => `/${text}`),
      fc.array(piece).map((pieces) => `/${pieces.join('')}`),
      fc.string({ unit: fc.constantFrom(..."aZ09-._~!$&'()*+,;=:@/%") }).map((path) => `/${path}`),
      anyText(),
    )
    fc.assert(
      fc.property(value, (raw) => {
        const target = resolve(raw)
        if (target === undefined) return
        expect(target).toMatch(/^\/(?![/\\])[\x21-\x7e]*$/)
        expect(new URL(target, shop).origin).toBe(shop.origin)
        expect(resolve(target)).toBe(target)
      }),
      { numRuns: 5000 },
    )
  })
})
