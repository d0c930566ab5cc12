import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMergeTag } from '../../src/links/merge-tag.ts'
import { CONFLICTING, readParameters } from '../../src/links/parameters.ts'
import { MAX_PAIRS } from '../../src/links/query-pairs.ts'

describe('quantity', () => {
  test('a link without one says so', () => {
    expect(readParameters('').quantity).toEqual({ kind: 'absent' })
  })

  test.each([
    'quantity=3',
    'qty=3',
    '/quantity=3',
    '?quantity=3',
    'quantity=3&qty=3',
    'quantity=3&quantity=3',
    'quantity=%33',
  ])('%s asks for three', (query) => {
    expect(readParameters(query).quantity).toEqual({ kind: 'given', value: 3 })
  })

  test('zero is a whole number; whether it is too few is for the catalog to say', () => {
    expect(readParameters('quantity=0').quantity).toEqual({ kind: 'given', value: 0 })
  })

  test.each([
    'quantity=',
    'quantity',
    'quantity=-1',
    'quantity=1.5',
    'quantity=1e3',
    'quantity=0x10',
    'quantity=+1',
    'quantity=01',
    'quantity=many',
    'quantity=%D9%A2',
    'quantity=99999999999999999999',
    'quantity={{quantity}}',
    'quantity=2&qty=3',
    'quantity=2&quantity=',
  ])('%s is invalid', (query) => {
    expect(readParameters(query).quantity).toEqual({ kind: 'invalid' })
  })

  test("the permalink standard's line item path changes nothing", () => {
    expect(readParameters('line_items/0/quantity=5').quantity).toEqual({ kind: 'absent' })
  })
})

describe('email', () => {
  test.each([
    'buyer/email',
    '/buyer/email',
    'buyer%2Femail',
    'prefilled_email',
    'customer_email',
    'email',
    'checkout[email]',
    'checkout%5Bemail%5D',
    'amp;email',
    'amp;amp;email',
    'amp%3Bemail',
  ])('%s fills in the address', (name) => {
    expect(readParameters(`${name}=bob@example.com`).email).toBe('bob@example.com')
  })

  test.each([
    'a=1&amp;email=bob@example.com',
    'a=1&amp%3Bemail=bob@example.com',
    'a=1&amp;amp;email=bob@example.com',
  ])('%s, a query that was HTML-escaped, is read as it was meant', (query) => {
    expect(readParameters(query).email).toBe('bob@example.com')
  })

  test.each([
    'bob+shop@example.com',
    'bob%2Bshop@example.com',
    'bob%20shop@example.com',
    '%20bob+shop@example.com%20',
  ])('the plus in %s survives', (value) => {
    expect(readParameters(`email=${value}`).email).toBe('bob+shop@example.com')
  })

  test('the plus survives in a form too', () => {
    expect(readParameters('', 'email=bob%2Bshop%40example.com').email).toBe('bob+shop@example.com')
    expect(readParameters('', 'email=bob+shop%40example.com').email).toBe('bob+shop@example.com')
  })

  test('equal addresses under two names, in query and form, count once', () => {
    const read = readParameters(
      'email=bob+x@example.com&buyer/email=bob%2Bx%40example.com',
      'email=bob%2Bx%40example.com',
    )
    expect(read.email).toBe('bob+x@example.com')
  })

  test.each([
    ['email=a@example.com&prefilled_email=b@example.com', undefined],
    ['email=a@example.com&email=b@example.com', undefined],
    ['email=a@example.com', 'email=b@example.com'],
    ['email=a@example.com&email=nonsense', undefined],
  ])('different addresses in %s and %s count for nothing', (query, body) => {
    expect(readParameters(query, body)).not.toHaveProperty('email')
  })

  test('an empty or unfilled address does not contradict a real one', () => {
    expect(readParameters('email={{email}}&buyer/email=&customer_email=a@example.com').email).toBe(
      'a@example.com',
    )
  })

  test.each([
    'bob',
    '@example.com',
    'bob@',
    'bob@localhost',
    'a@b@example.com',
    'bob@exa mple.com',
    'bob@example.com%0ABcc:x@example.com',
    '.bob@example.com',
    'bob..b@example.com',
    'bob@-example.com',
    'bob@example..com',
    'b%C3%B6b@example.com',
    '%FF@example.com',
    `${'a'.repeat(65)}@example.com`,
    `bob@${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(60)}.com`,
  ])('%s is no address and is dropped', (value) => {
    expect(readParameters(`email=${value}`)).not.toHaveProperty('email')
  })
})

describe('client_reference_id', () => {
  test.each(['client_reference_id', 'reference_id', '/client_reference_id'])('%s is read', (name) => {
    expect(readParameters(`${name}=Order_1-a`).clientReferenceId).toBe('Order_1-a')
  })

  test('200 characters pass, 201 are dropped, not cut', () => {
    expect(readParameters(`reference_id=${'a'.repeat(200)}`).clientReferenceId).toHaveLength(200)
    expect(readParameters(`reference_id=${'a'.repeat(201)}`)).not.toHaveProperty('clientReferenceId')
  })

  test.each(['a b', 'a.b', 'é', 'a%0A', '', 'a&reference_id=b'])('%j is dropped', (value) => {
    expect(readParameters(`client_reference_id=${value}`)).not.toHaveProperty('clientReferenceId')
  })
})

describe('metadata', () => {
  test('its three spellings are one', () => {
    const query =
      'metadata_color=red&metadata[size]=m&checkout%5Bcustom%5D%5Bnote%5D=two+words&metadata[color]=red'
    expect(readParameters(query).metadata).toEqual({ color: 'red', size: 'm', note: 'two words' })
  })

  test('one key with two values counts for nothing', () => {
    expect(readParameters('metadata_a=1&metadata[a]=2&metadata_b=3').metadata).toEqual({ b: '3' })
  })

  test('at most 20 keys are kept, the same ones whatever the order of the link', () => {
    const pairs = Array.from({ length: 30 }, (_, n) => `metadata_k${n}=${n}`)
    const { metadata } = readParameters(pairs.join('&'))
    expect(Object.keys(metadata)).toHaveLength(20)
    expect(JSON.stringify(readParameters(pairs.reverse().join('&')).metadata)).toBe(JSON.stringify(metadata))
  })

  test('long keys and values are dropped, never cut', () => {
    const query = `metadata_${'k'.repeat(40)}=1&metadata_${'k'.repeat(41)}=1&metadata_a=${'v'.repeat(500)}&metadata_b=${'v'.repeat(501)}`
    expect(readParameters(query).metadata).toEqual({ a: 'v'.repeat(500), ['k'.repeat(40)]: '1' })
  })

  test.each(['a%0Ab', 'a%00', 'a%7F', 'a%C2%85b', 'a%E2%80%A8b', '%FF', '%ED%A0%80', '', '+'])(
    'the value %j is dropped',
    (value) => {
      expect(readParameters(`metadata_a=${value}`).metadata).toEqual({})
    },
  )

  test('a bad percent escape stays as it is', () => {
    expect(readParameters('metadata_a=100%&metadata_b=%zz').metadata).toEqual({ a: '100%', b: '%zz' })
  })

  test.each(['checkout_id', 'items', 'items_2', 'items_17', 'amount_total', 'link'])(
    'our own key %s is dropped',
    (key) => {
      const query = `metadata_${key}=x&metadata[${key}]=x&checkout[custom][${key}]=x&attribution/${key}=x`
      const { metadata, attribution } = readParameters(query)
      expect({ ...metadata, ...attribution }).toEqual({})
    },
  )

  test('names of object members are only names', () => {
    const { metadata } = readParameters(
      'metadata_constructor=a&metadata[toString]=b&metadata_hasOwnProperty=c',
    )
    expect(Object.keys(metadata)).toEqual(['constructor', 'hasOwnProperty', 'toString'])
    expect(Object.getPrototypeOf(metadata)).toBeNull()
  })

  test('__proto__ is dropped: guarded JSON parsers refuse a body for it', () => {
    const { metadata, attribution } = readParameters(
      'metadata___proto__=a&metadata[__proto__]=a&attribution/__proto__=a',
    )
    expect(Object.keys(metadata)).toEqual([])
    expect(Object.keys(attribution)).toEqual([])
    expect(Reflect.get({}, 'a')).toBeUndefined()
  })

  test("the permalink standard's roots never end up in it", () => {
    const roots = [
      'buyer',
      'context',
      'line_items',
      'discounts',
      'fulfillment',
      'payment',
      'totals',
      'metadata',
    ]
    const query = roots.map((root) => `${root}=x&${root}/y=x&/${root}/z=x`).join('&')
    const { metadata, attribution } = readParameters(query)
    expect({ ...metadata, ...attribution }).toEqual({})
  })
})

describe('attribution', () => {
  test('the usual names and the standard ones come under plain names', () => {
    const query =
      'utm_source=mail&attribution/utm_medium=email&/attribution/utm_term=t&ref=r&attribution/affiliate=a'
    expect(readParameters(query).attribution).toEqual({
      utm_source: 'mail',
      utm_medium: 'email',
      utm_term: 't',
      ref: 'r',
      affiliate: 'a',
    })
  })

  test('click ids and other strangers are dropped', () => {
    const { metadata, attribution } = readParameters(
      'gclid=1&fbclid=2&utm_id=3&x=4&success_url=https://evil.example',
    )
    expect({ ...metadata, ...attribution }).toEqual({})
  })

  test('equal under two names counts once, different for nothing', () => {
    expect(readParameters('utm_source=a&attribution/utm_source=a').attribution).toEqual({ utm_source: 'a' })
    expect(readParameters('utm_source=a&attribution/utm_source=b').attribution).toEqual({})
  })
})

describe('merge tags', () => {
  test.each([
    '{{email}}',
    '{{ contact.email }}',
    '*|EMAIL|*',
    '%recipient%',
    '%%email%%',
    '[[email]]',
    '{email}',
    '$' + '{email}',
    '<%= email %>',
    '{% if a %}x{% endif %}',
    'Hello {{name}}!',
  ])('%s is dropped', (tag) => {
    const value = encodeURIComponent(tag)
    const read = readParameters(
      `metadata_a=${value}&utm_source=${value}&email=${value}&reference_id=${value}&ref=${tag}`,
    )
    expect(read.metadata).toEqual({})
    expect(read.attribution).toEqual({})
    expect(read).not.toHaveProperty('email')
    expect(read).not.toHaveProperty('clientReferenceId')
  })

  test('a tag whose percent sign reads like an escape is dropped too', () => {
    expect(readParameters('metadata_a=%address%').metadata).toEqual({})
  })

  test.each(['{"a":{"b":1}}', '[[1,2],[3]]', '20% off, 30% off', '$5 {sic}', 'a | b'])(
    '%s is honest text',
    (text) => {
      expect(isMergeTag(text)).toBe(false)
    },
  )
})

describe('the rest', () => {
  test('continue_to is decoded once', () => {
    expect(readParameters('continue_to=%2Fproducts%2Ftee%253F').continueTo).toBe('/products/tee%3F')
    expect(readParameters('continue_to=/a&continue_to=/b')).not.toHaveProperty('continueTo')
  })

  test('what only a signed link can set is kept apart, as it stood', () => {
    const query = 'amount=1&customer_id=c&user_id=u&expires_at=9&uses=&link_signature=s'
    expect(readParameters(query)).toMatchObject({
      signed: { amount: '1', customerId: 'c', userId: 'u', expiresAt: '9', uses: '' },
      signature: 's',
    })
    expect(readParameters('amount=1&amount=2&link_signature=a&link_signature=b')).toMatchObject({
      signed: { amount: CONFLICTING },
      signature: CONFLICTING,
    })
  })

  test('a bounded number of pairs is read, query and form together', () => {
    const filler = Array.from({ length: MAX_PAIRS }, () => 'x=1').join('&')
    expect(readParameters(`${filler}&qty=2`, 'qty=2').quantity).toEqual({ kind: 'absent' })
    expect(readParameters(filler.slice(4), 'qty=2').quantity).toEqual({ kind: 'given', value: 2 })
  })

  test('long hostile values take no time', () => {
    const started = performance.now()
    for (const part of ['{{', '[[', '%%', '<%', '*|', '%', 'a@', 'a.', '+', ' ']) {
      readParameters(
        `email=${part.repeat(200_000)}&metadata_a=${part.repeat(200_000)}&${part.repeat(200_000)}`,
      )
    }
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('nothing that comes makes the reader throw, and what it lets pass is clean', () => {
    const name = fc.constantFrom(
      'email',
      'buyer/email',
      'metadata_a',
      'metadata[b]',
      'qty',
      'amp;ref',
      'utm_term',
      '%',
      '/',
      '\ud800',
    )
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webQueryParameters(),
      fc.constantFrom('%', '%ff', '%00', '+', '='),
    )
    const pair = fc.tuple(name, value).map(([key, text]) => `${key}=${text}`)
    const query = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pair).map((pairs) => pairs.join('&')),
    )
    fc.assert(
      fc.property(query, query, (rawQuery, body) => {
        const { email, metadata, attribution } = readParameters(rawQuery, body)
        for (const text of [email ?? '', ...Object.entries({ ...metadata, ...attribution }).flat()]) {
          expect(text.isWellFormed() && !/\p{Cc}/u.test(text)).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
