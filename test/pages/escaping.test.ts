import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { absoluteWebUrl, mailtoUrl, webUrl } from '../../src/pages/link.ts'
import { structuredData } from '../../src/pages/structured-data.ts'
import { everyPage, SHOP } from './every-page.ts'
import { addresses, readTags, skeleton } from './markup.ts'

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

const BAD_URLS = [
  'javascript:alert(1)',
  ' JaVaScRiPt:alert(1)',
  'java\nscript:alert(1)',
  '\u0001javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:msgbox(1)',
  'file:///etc/passwd',
  'blob:https://shop.example/1',
  'https://shop.example@evil.example/',
  'https://',
]

// Never empty: an empty initial or local part would leave an element out, which the skeleton counts.
const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 20 })), {
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
    for (const words of HOSTILE) {
      const block = structuredData({ '@type': 'Product', name: words })
      const json = block.slice('<script type="application/ld+json">'.length, -'</script>'.length)
      expect(json).not.toMatch(/[<>&\u2028\u2029]/)
      expect(JSON.parse(json)).toEqual({ '@context': 'https://schema.org', '@type': 'Product', name: words })
    }
  })
})

describe('addresses', () => {
  test.each(BAD_URLS)('%j is never rendered on any page', (url) => {
    expect(webUrl(SHOP, url)).toBeUndefined()
    for (const [name, page] of Object.entries(everyPage('words', url))) {
      for (const address of addresses(page))
        expect(address, name).toMatch(/^(https?:\/\/shop\.example|\/(?!\/)|mailto:)/)
      expect(page, name).not.toContain('http-equiv')
    }
  })

  test('whatever is asked for, a rendered address is http, https, mail or a path here', () => {
    const url = fc.oneof(
      fc.webUrl(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...BAD_URLS),
      fc.string().map((rest) => `/${rest}`),
      fc.string().map((rest) => `javascript:${rest}`),
    )
    fc.assert(
      fc.property(url, (value) => {
        const rendered = webUrl(SHOP, value)
        if (rendered !== undefined) expect(rendered).toMatch(/^(https?:\/\/[^/]|\/(?![/\\]))/)
      }),
      { numRuns: 1000 },
    )
  })

  test('a path that normalises to two slashes is not turned into another host', () => {
    expect(webUrl(SHOP, '/.//evil.example')).toBe('https://shop.example//evil.example')
  })

  test('a path stays a path for links and gets its host for previews', () => {
    expect(webUrl(SHOP, '/buy/a?quantity=2')).toBe('/buy/a?quantity=2')
    expect(absoluteWebUrl(SHOP, '/buy/a')).toBe('https://shop.example/buy/a')
  })

  test('a contact that is no plain address gets no mail link, and a header cannot be smuggled into one', () => {
    expect(mailtoUrl('hello@shop.example')).toBe('mailto:hello@shop.example')
    expect(mailtoUrl('a?bcc=b@c.example')).toBe('mailto:a%3Fbcc%3Db@c.example')
    expect(mailtoUrl('hello@shop.example', 'Reference 1&bcc=x\ud800')).toContain(
      'subject=Reference%201%26bcc%3Dx',
    )
    expect(mailtoUrl('javascript:alert(1)')).toBeUndefined()
    expect(mailtoUrl(undefined)).toBeUndefined()
  })
})
