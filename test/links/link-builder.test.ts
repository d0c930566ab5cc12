import { describe, expect, test } from 'vitest'
import { buildLink } from '../../src/links/link-builder.ts'
import { queryPairs, readParameters } from '../../src/links/parameters.ts'

const publicUrl = new URL('https://shop.example')
const tee = [{ sku: 'tee', quantity: 1 }]

describe('building a link', () => {
  test('one unit of one product is the bare form', () => {
    expect(buildLink({ publicUrl, items: tee })).toBe('https://shop.example/buy/tee')
  })

  test('more units and more products are a permalink', () => {
    expect(buildLink({ publicUrl, items: [{ sku: 'tee', quantity: 2 }] })).toBe(
      'https://shop.example/buy/tee:2',
    )
    const items = [...tee, { sku: 'a b', quantity: 1 }, ...tee]
    expect(buildLink({ publicUrl, items })).toBe('https://shop.example/buy/tee:2,~YSBi:1')
  })

  test('parameters come in canonical order and are read back as they were given', () => {
    const parameters = {
      attribution: { utm_source: 'mail', affiliate: 'x' },
      metadata: { size: 'm', color: "it's (dark) red!" },
      clientReferenceId: 'order-1',
      email: 'bob+shop@example.com',
      continueTo: '/products/tee',
    }
    const link = buildLink({ publicUrl, items: tee, parameters })
    expect(link).toBe(
      'https://shop.example/buy/tee?buyer/email=bob%2Bshop%40example.com&client_reference_id=order-1' +
        '&metadata_color=it%27s%20%28dark%29%20red%21&metadata_size=m' +
        '&utm_source=mail&attribution/affiliate=x&continue_to=/products/tee',
    )
    expect(readParameters(queryPairs(new URL(link).search))).toMatchObject(parameters)
  })

  test.each([
    ['a sku that ends in a full stop', [{ sku: 'tee.', quantity: 1 }], {}, '/buy/tee%2E'],
    ['a value that ends in a dash', tee, { attribution: { ref: 'a-' } }, '?ref=a%2D'],
  ])('%s keeps it in a mail program', (_, items, parameters, end) => {
    const link = buildLink({ publicUrl, items, parameters })
    expect(link.endsWith(end)).toBe(true)
    expect(new URL(link).href).toBe(link)
  })

  test.each([
    ['an invalid email', { email: 'bob' }],
    ['an unfilled placeholder', { email: '{{email}}' }],
    ['a client reference id with blanks', { clientReferenceId: 'a b' }],
    ['a key that the service fills in itself', { metadata: { checkout_id: 'x' } }],
    ['a value too long', { metadata: { a: 'x'.repeat(501) } }],
    ['broken text', { metadata: { a: '\ud800' } }],
    ['an attribution name with a slash', { attribution: { 'a/b': 'x' } }],
    ['a path to another site', { continueTo: '//evil.example' }],
  ])('%s is refused, since the reader would drop it', (_, parameters) => {
    expect(() => buildLink({ publicUrl, items: tee, parameters })).toThrow('malformed-link')
  })

  test.each([
    ['no price', { amount: 0 }],
    ['a customer and a user', { customerId: crypto.randomUUID(), userId: crypto.randomUUID() }],
    ['no time', { expiresAt: new Date(Number.NaN) }],
    ['no uses', { uses: 0 }],
    ['no secret', { secrets: [] }],
  ])('signed terms with %s are refused', (_, terms) => {
    expect(() => buildLink({ publicUrl, items: tee, signing: { secrets: ['s'], ...terms } })).toThrow(
      'malformed-link',
    )
  })

  test('a signed link carries its terms, and the signature first', () => {
    const signing = { secrets: ['s'], amount: 900, expiresAt: new Date(1_800_000_000_999), uses: 1 }
    expect(buildLink({ publicUrl, items: tee, parameters: { attribution: { ref: 'x' } }, signing })).toMatch(
      /^https:\/\/shop\.example\/buy\/tee\?link_signature=[\w-]{43}&amount=900&expires_at=1800000000&uses=1&ref=x$/,
    )
  })
})

describe('the link', () => {
  test('is ASCII, so that characters are bytes', () => {
    const link = buildLink({
      publicUrl,
      items: [{ sku: 'Größe', quantity: 1 }],
      parameters: { metadata: { ä: 'ö' } },
    })
    expect(link.length).toBe(Buffer.byteLength(link))
  })
})
