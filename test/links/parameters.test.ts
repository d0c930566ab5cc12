import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONFLICTING, formFields, MAX_PAIRS, queryPairs, readParameters } from '../../src/links/parameters.ts'
import { anyText } from './any-text.ts'

const readQuery = (query: string, body?: string) => readParameters(queryPairs(query, body))

describe('quantity', () => {
  test.each(['', 'quantity', 'quantity=', 'quantity=+', 'quantity={{quantity}}', 'quantity=undefined&qty='])(
    'is absent in a link without a value of it: %s',
    (query) => {
      expect(readQuery(query).quantity).toEqual({ kind: 'absent' })
    },
  )

  test.each([
    'quantity=3',
    'qty=3',
    '/quantity=3',
    '?quantity=3',
    'quantity=3&qty=3',
    'quantity=3&quantity=3',
    'quantity=%33',
    'quantity=03',
    'quantity=3.0',
    'quantity=3,00',
    'quantity=+3+',
    'quantity=%C2%A03%20',
    'quantity=3&qty=003.0',
    'quantity=3&qty=',
    'quantity=3&qty=*|QTY|*',
  ])('%s asks for three', (query) => {
    expect(readQuery(query).quantity).toEqual({ kind: 'given', value: 3 })
  })

  test('zero is read as a number; the limits of the product are checked later', () => {
    expect(readQuery('quantity=0').quantity).toEqual({ kind: 'given', value: 0 })
  })

  test.each([
    ['quantity=-1', -1],
    ['quantity=1.5', 1.5],
    ['quantity=1,5', 1.5],
    ['quantity=1e3', 1000],
    ['quantity=%2B1', 1],
    ['quantity=99999999999999999999', 1e20],
    ['quantity=0x10', undefined],
    ['quantity=many', undefined],
    ['quantity=2.000', 2],
    ['quantity=%D9%A2', undefined],
    ['quantity=2&qty=3', undefined],
    ['quantity=2&qty=many', undefined],
  ])('%s is invalid, and near %s', (query, near) => {
    expect(readQuery(query).quantity).toEqual({ kind: 'invalid', near })
  })

  test("the permalink standard's line item path changes nothing", () => {
    expect(readQuery('line_items/0/quantity=5').quantity).toEqual({ kind: 'absent' })
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
  ])('%s fills in the email', (name) => {
    expect(readQuery(`${name}=bob@example.com`).email).toBe('bob@example.com')
  })

  test.each([
    'a=1&amp;email=bob@example.com',
    'a=1&amp%3Bemail=bob@example.com',
    'a=1&amp;amp;email=bob@example.com',
  ])('%s, a query that was HTML-escaped, is read like the original', (query) => {
    expect(readQuery(query).email).toBe('bob@example.com')
  })

  test.each([
    'bob+shop@example.com',
    'bob%2Bshop@example.com',
    'bob%20shop@example.com',
    '%20bob+shop@example.com%20',
  ])('the plus in %s is kept', (value) => {
    expect(readQuery(`email=${value}`).email).toBe('bob+shop@example.com')
  })

  test('a blank before the email is not taken for a plus', () => {
    expect(readQuery('email=+bob@example.com').email).toBe('bob@example.com')
    expect(readQuery('email=%2Bbob@example.com').email).toBe('+bob@example.com')
  })

  test('the plus is kept in a form, too', () => {
    expect(readQuery('', 'email=bob%2Bshop%40example.com').email).toBe('bob+shop@example.com')
    expect(readQuery('', 'email=bob+shop%40example.com').email).toBe('bob+shop@example.com')
  })

  test('equal emails under two names, in query and form, count once', () => {
    const read = readQuery(
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
  ])('different emails in %s and %s count as absent', (query, body) => {
    expect(readQuery(query, body).email).toBeUndefined()
  })

  test('an empty or unfilled email does not contradict a real one', () => {
    expect(readQuery('email={{email}}&buyer/email=&customer_email=a@example.com').email).toBe('a@example.com')
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
  ])('%s is no email and is dropped', (value) => {
    expect(readQuery(`email=${value}`).email).toBeUndefined()
  })
})

describe('client_reference_id', () => {
  test.each(['client_reference_id', 'reference_id', '/client_reference_id'])('%s is read', (name) => {
    expect(readQuery(`${name}=Order_1-a`).clientReferenceId).toBe('Order_1-a')
  })

  test('200 characters pass, 201 are dropped, not cut', () => {
    expect(readQuery(`reference_id=${'a'.repeat(200)}`).clientReferenceId).toHaveLength(200)
    expect(readQuery(`reference_id=${'a'.repeat(201)}`).clientReferenceId).toBeUndefined()
  })

  test.each(['a b', 'a.b', 'é', 'a%0A', '', 'a&reference_id=b'])('%j is dropped', (value) => {
    expect(readQuery(`client_reference_id=${value}`).clientReferenceId).toBeUndefined()
  })
})

describe('other parameters', () => {
  test('continue_to is decoded once', () => {
    expect(readQuery('continue_to=%2Fproducts%2Ftee%253F').continueTo).toBe('/products/tee%3F')
    expect(readQuery('continue_to=/a&continue_to=/b').continueTo).toBeUndefined()
  })

  test('what only a signed link can set is kept apart, unchecked', () => {
    const query = 'amount=1&customer_id=c&user_id=u&expires_at=9&uses=&link_signature=s'
    expect(readQuery(query)).toMatchObject({
      signed: { amount: '1', customerId: 'c', userId: 'u', expiresAt: '9', uses: '' },
      signature: 's',
    })
    expect(readQuery('amount=1&amount=2&link_signature=a&link_signature=b')).toMatchObject({
      signed: { amount: CONFLICTING },
      signature: CONFLICTING,
    })
  })

  test('a bounded number of pairs is read, query and form together', () => {
    const filler = Array.from({ length: MAX_PAIRS }, () => 'x=1').join('&')
    expect(readQuery(`${filler}&qty=2`, 'qty=2').quantity).toEqual({ kind: 'absent' })
    expect(readQuery(filler.slice(4), 'qty=2').quantity).toEqual({ kind: 'given', value: 2 })
  })

  test.each([
    'qty=2&email=bob+x@example.com&metadata[a]=1&metadata_b=2&reference_id=r-1&utm_source=mail&ref=x&gclid=1',
    'amount=900&amount=901&uses=&email=bad&email=a@example.com&quantity=x&link_signature=a&link_signature=b',
  ])('the form fields of %s say the same as the query', (query) => {
    const read = readQuery(query)
    expect(readParameters(formFields(read))).toEqual(read)
  })

  test('long hostile values are read within two seconds of processor time', () => {
    const before = process.cpuUsage()
    for (const part of ['{{', '[[', '%%', '<%', '*|', '%', 'a@', 'a.', '+', ' ']) {
      readQuery(`email=${part.repeat(200_000)}&metadata_a=${part.repeat(200_000)}&${part.repeat(200_000)}`)
    }
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000)
  })

  test('no query makes the reader throw, or return control characters', () => {
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
      anyText(),
      anyText().map((text) => String(new URLSearchParams({ a: text }))),
      fc.constantFrom('%', '%ff', '%00', '+', '='),
    )
    const pair = fc.tuple(name, value).map(([key, text]) => `${key}=${text}`)
    const query = fc.oneof(
      anyText(),
      fc.array(pair).map((pairs) => pairs.join('&')),
    )
    fc.assert(
      fc.property(query, query, (rawQuery, body) => {
        const { email, metadata, attribution } = readQuery(rawQuery, body)
        for (const text of [email ?? '', ...Object.entries({ ...metadata, ...attribution }).flat()]) {
          expect(text.isWellFormed() && !/\p{Cc}/u.test(text)).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
