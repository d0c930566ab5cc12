import { describe, expect, test } from 'vitest'
import { queryPairs, readParameters } from '../../src/links/parameters.ts'
import { isUnfilled } from '../../src/links/placeholders.ts'

const readQuery = (query: string, body?: string) => readParameters(queryPairs(query, body))

describe('metadata', () => {
  test('its three spellings give the same keys', () => {
    const query =
      'metadata_color=red&metadata[size]=m&checkout%5Bcustom%5D%5Bnote%5D=two+words&metadata[color]=red'
    expect(readQuery(query).metadata).toEqual({ color: 'red', size: 'm', note: 'two words' })
  })

  test('one key with two values is dropped', () => {
    expect(readQuery('metadata_a=1&metadata[a]=2&metadata_b=3').metadata).toEqual({ b: '3' })
  })

  test('at most 20 keys are kept, the same ones whatever the order of the link', () => {
    const pairs = Array.from({ length: 30 }, (_, n) => `metadata_k${n}=${n}`)
    const { metadata } = readQuery(pairs.join('&'))
    expect(Object.keys(metadata)).toHaveLength(20)
    expect(JSON.stringify(readQuery(pairs.reverse().join('&')).metadata)).toBe(JSON.stringify(metadata))
  })

  test('long keys and values are dropped, never cut', () => {
    const query = `metadata_${'k'.repeat(40)}=1&metadata_${'k'.repeat(41)}=1&metadata_a=${'v'.repeat(500)}&metadata_b=${'v'.repeat(501)}`
    expect(readQuery(query).metadata).toEqual({ a: 'v'.repeat(500), ['k'.repeat(40)]: '1' })
  })

  test.each(['a%0Ab', 'a%00', 'a%7F', 'a%C2%85b', 'a%E2%80%A8b', '%FF', '%ED%A0%80', '', '+'])(
    'the value %j is dropped',
    (value) => {
      expect(readQuery(`metadata_a=${value}`).metadata).toEqual({})
    },
  )

  test('a bad percent escape stays as it is', () => {
    expect(readQuery('metadata_a=100%&metadata_b=%zz').metadata).toEqual({ a: '100%', b: '%zz' })
  })

  test.each(['checkout_id', 'items', 'items_2', 'items_17', 'amount_total', 'link'])(
    'the key %s, which the service fills in itself, is dropped',
    (key) => {
      const query = `metadata_${key}=x&metadata[${key}]=x&checkout[custom][${key}]=x&attribution/${key}=x`
      const { metadata, attribution } = readQuery(query)
      expect({ ...metadata, ...attribution }).toEqual({})
    },
  )

  test('names of object members such as constructor are ordinary keys', () => {
    const { metadata } = readQuery('metadata_constructor=a&metadata[toString]=b&metadata_hasOwnProperty=c')
    expect(Object.keys(metadata)).toEqual(['constructor', 'hasOwnProperty', 'toString'])
    expect(Object.getPrototypeOf(metadata)).toBeNull()
  })

  test('__proto__ is dropped: guarded JSON parsers refuse a body for it', () => {
    const { metadata, attribution } = readQuery(
      'metadata___proto__=a&metadata[__proto__]=a&attribution/__proto__=a',
    )
    expect(Object.keys(metadata)).toEqual([])
    expect(Object.keys(attribution)).toEqual([])
    expect(Reflect.get({}, 'a')).toBeUndefined()
  })

  test('other fields of the permalink standard are dropped', () => {
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
    const { metadata, attribution } = readQuery(query)
    expect({ ...metadata, ...attribution }).toEqual({})
  })
})

describe('attribution', () => {
  test('the usual names and the standard ones come under plain names', () => {
    const query =
      'utm_source=mail&attribution/utm_medium=email&/attribution/utm_term=t&ref=r&attribution/affiliate=a'
    expect(readQuery(query).attribution).toEqual({
      utm_source: 'mail',
      utm_medium: 'email',
      utm_term: 't',
      ref: 'r',
      affiliate: 'a',
    })
  })

  test('click ids and other unknown parameters are dropped', () => {
    const { metadata, attribution } = readQuery(
      'gclid=1&fbclid=2&utm_id=3&x=4&success_url=https://evil.example',
    )
    expect({ ...metadata, ...attribution }).toEqual({})
  })

  test('equal values under two names count once, different ones are dropped', () => {
    expect(readQuery('utm_source=a&attribution/utm_source=a').attribution).toEqual({ utm_source: 'a' })
    expect(readQuery('utm_source=a&attribution/utm_source=b').attribution).toEqual({})
  })
})

describe('placeholders', () => {
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
    const read = readQuery(
      `metadata_a=${value}&utm_source=${value}&email=${value}&reference_id=${value}&ref=${tag}`,
    )
    expect(read.metadata).toEqual({})
    expect(read.attribution).toEqual({})
    expect(read.email).toBeUndefined()
    expect(read.clientReferenceId).toBeUndefined()
  })

  test('a placeholder whose percent sign reads like an escape is dropped too', () => {
    expect(readQuery('metadata_a=%address%').metadata).toEqual({})
  })

  test.each(['{"a":{"b":1}}', '[[1,2],[3]]', '20% off, 30% off', '$5 {sic}', 'a | b'])(
    '%s is literal text',
    (text) => {
      expect(isUnfilled(text)).toBe(false)
    },
  )
})
