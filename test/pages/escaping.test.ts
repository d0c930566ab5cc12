import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mailtoUrl } from '../../src/pages/layout.ts'
import { productPage } from '../../src/pages/product.ts'
import { anyText } from '../links/any-text.ts'
import { everyPage, SHOP } from './every-page.ts'
import { readTags, skeleton } from './markup.ts'

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' autofocus onfocus='alert(1)",
  '</script><script>alert(1)</script>',
  '<!--<script>',
  '</title><svg onload=alert(1)>',
  '0; url=javascript:alert(1)',
  'thanks!',
  '&lt;script&gt;',
  '\u0000\u2028\u2029\ud800',
  '`onload=alert(1)`',
]

// Never empty: an empty initial or local part would leave an element out, which the skeleton counts.
const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...HOSTILE), anyText(20)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => `x${parts.join('')}`)

describe('text from the catalog, the settings and the buyer', () => {
  test('hostile text in every field changes no tag and no attribute of any page', () => {
    const harmless = everyPage('plain words', 'https://shop.example/a')
    fc.assert(
      fc.property(hostileText, (words) => {
        const url = `https://shop.example/a?b=${words}`
        for (const [name, page] of Object.entries(everyPage(words, url))) {
          expect(skeleton(page), name).toEqual(skeleton(harmless[name] ?? ''))
        }
      }),
      { numRuns: 150, examples: HOSTILE.map((words): [string] => [words]) },
    )
  })

  test('no page has an inline style, an event handler, or a script that is not data', () => {
    for (const [name, page] of Object.entries(everyPage('words', 'https://shop.example/a'))) {
      for (const tag of readTags(page)) {
        expect(tag.name, name).not.toBe('style')
        for (const attribute of Object.keys(tag.attributes))
          expect(attribute, name).not.toMatch(/^(style|on.*)$/)
        if (tag.name === 'script') expect(tag.attributes.type, name).toBe('application/ld+json')
      }
    }
  })

  test('structured data with hostile text stays one block and keeps the text', () => {
    for (const name of HOSTILE) {
      const product = { sku: 'a', token: 'a', name, amount: 100, currency: 'usd' }
      const page = productPage(
        SHOP,
        { ...product, quantity: { minimum: 1, maximum: 1 } },
        { locale: 'en-US' },
      )
      const json = /<script type="application\/ld\+json">(.*?)<\/script>/s.exec(page)?.[1] ?? ''
      expect(json).not.toMatch(/[<>&\u2028\u2029]/)
      expect(JSON.parse(json)).toMatchObject({ '@type': 'Product', name })
    }
  })

  test('a support email cannot add headers to the message', () => {
    expect(mailtoUrl('hello@shop.example')).toBe('mailto:hello@shop.example')
    expect(mailtoUrl('a?bcc=b%40@c.example')).toBe('mailto:a%3Fbcc%3Db%2540@c.example')
    expect(mailtoUrl('hello@shop.example', 'Reference 1&bcc=x')).toContain('subject=Reference%201%26bcc%3Dx')
  })
})
