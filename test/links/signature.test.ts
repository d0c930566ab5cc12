import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { parseItems } from '../../src/links/cart.ts'
import { buildLink } from '../../src/links/link-builder.ts'
import { queryPairs, readParameters } from '../../src/links/parameters.ts'
import { linkId, type ReadLink, signedTerms, signLink, verifySignature } from '../../src/links/signature.ts'

const secrets = ['first-secret', 'second-secret']
const uuid = '2f1c3a52-7a1e-4c0e-9d8f-0a1b2c3d4e5f'

const read = (target: string, body?: string): ReadLink => {
  const [segment = '', query = ''] = target.split('?')
  return {
    items: parseItems(decodeURIComponent(segment)),
    parameters: readParameters(queryPairs(query, body)),
  }
}
const sign = (target: string, keys = secrets) =>
  `${target}${target.includes('?') ? '&' : '?'}link_signature=${signLink(read(target), keys)}`
const verify = (target: string, body?: string, keys = secrets) => verifySignature(read(target, body), keys)

const target =
  'tee?quantity=2&buyer/email=bob%40example.com&metadata_a=1&amount=900&expires_at=1800000000&uses=3'
const signed = sign(target)

describe('a signature', () => {
  test('is valid for the link that was signed', () => {
    expect(verify(signed)).toBe('valid')
  })

  test('may be absent', () => {
    expect(verify(target)).toBe('unsigned')
  })

  test('stays valid while the secret that made it is on the list', () => {
    expect(verify(sign(target, ['second-secret']))).toBe('valid')
    expect(verify(sign(target, ['third-secret']))).toBe('invalid')
  })

  test('is invalid where signing is switched off', () => {
    expect(verify(signed, undefined, [])).toBe('invalid')
    expect(verify(signed, undefined, [''])).toBe('invalid')
  })

  test('cannot be made without a secret', () => {
    expect(() => signLink(read('tee'), [])).toThrow('malformed-link')
    expect(() => signLink(read('tee'), [''])).toThrow('malformed-link')
  })

  test.each([
    'quantity=2',
    'qty=2',
    'email=eve@example.com',
    'prefilled_email=not-an-email',
    'client_reference_id=x',
    'reference_id=bad+value',
    'metadata_b=1',
    'metadata[b]=1',
    'checkout[custom][b]=1',
    `metadata_${'k'.repeat(99)}=1`,
    'metadata_checkout_id=x',
    'amount=1',
    `customer_id=${uuid}`,
    `user_id=${uuid}`,
    'expires_at=1',
    'uses=9',
    'uses=',
    'amp;amount=1',
    '/amount=1',
  ])('is broken by adding %s, in the query or in a form', (extra) => {
    expect(verify(`${sign('tee')}&${extra}`)).toBe('invalid')
    expect(verify(sign('tee'), extra)).toBe('invalid')
  })

  test.each(target.slice('tee?'.length).split('&'))('is broken by leaving out %s', (pair) => {
    expect(verify(signed.replace(pair, 'x=1'))).toBe('invalid')
  })

  test.each([
    'quantity=3',
    'qty=3',
    'email=eve@example.com',
    'metadata[a]=2',
    'amount=1',
    'expires_at=1900000000',
  ])('is broken by a second value: %s', (pair) => {
    expect(verify(`${signed}&${pair}`)).toBe('invalid')
    expect(verify(signed, pair)).toBe('invalid')
  })

  test('is broken by another item, or the same one in another form', () => {
    expect(verify(signed.replace('tee', 'mug'))).toBe('invalid')
    expect(verify(sign('tee').replace('tee', 'tee:1'))).toBe('invalid')
    expect(verify(sign('a:1,b:1').replace('a:1,b:1', 'b:1,a:1'))).toBe('invalid')
  })

  test('is the same for aliases, another order, repeats, and other spellings of a sku', () => {
    expect(verify(sign('tee?qty=2').replace('qty', 'quantity').replace('tee', '~dGVl'))).toBe('valid')
    expect(verify(`${sign('tee?email=a@example.com&uses=1')}&buyer/email=a%40example.com`)).toBe('valid')
    expect(verify(sign('a:1,a:1').replace('a:1,a:1', 'a:2'))).toBe('valid')
  })

  test('stays valid where a mail tool does not escape the plus of an email', () => {
    const link = sign('tee?buyer/email=bob%2Bshop%40example.com')
    expect(verify(link.replace('%2B', '+'))).toBe('valid')
  })

  test('covers a text whose format must not change, since published links depend on it', () => {
    const text = '["dots-buy-links/signed-link/1","tee",[["amount",["900"]],["metadata_a",["1","2"]]]]'
    const signature = createHmac('sha256', 'first-secret').update(text).digest('base64url')
    expect(verify(`tee?metadata_a=2&amount=900&metadata[a]=1&link_signature=${signature}`)).toBe('valid')
  })

  test('made with an empty secret is invalid', () => {
    const signature = createHmac('sha256', '')
      .update('["dots-buy-links/signed-link/1","tee",[]]')
      .digest('base64url')
    expect(verify(`tee?link_signature=${signature}`, undefined, ['', 'first-secret'])).toBe('invalid')
  })

  test('does not cover what mail tools append', () => {
    const appended = `${signed}&utm_source=mail&utm_id=1&ref=x&attribution/utm_term=t&gclid=1&continue_to=/`
    expect(verify(appended)).toBe('valid')
  })

  test.each(['link_signature=', 'link_signature', 'link_signature=x'])(
    'is invalid beside another value: %s',
    (pair) => {
      expect(verify(`${signed}&${pair}`)).toBe('invalid')
      expect(verify(`tee?${pair}`)).toBe('invalid')
    },
  )

  test('is compared as text: another base64 text of the same bytes is invalid', () => {
    expect(verify(`${signed}=`)).toBe('invalid')
    expect(verify(`${signed}%20`)).toBe('invalid')
  })

  test('ends in a letter or a digit', () => {
    fc.assert(
      fc.property(fc.nat(), (n) => {
        expect(sign(`tee:${n + 1}`)).toMatch(/[A-Za-z0-9]$/)
      }),
    )
  })

  test('breaks with any single changed byte, unless the meaning stays', () => {
    const meaning = (link: ReadLink) =>
      JSON.stringify([link.items, { ...link.parameters, covered: [], attribution: {} }])
    const original = meaning(read(signed))
    let changes = 0
    for (let at = 0; at < signed.length; at++) {
      for (const byte of '0aZ%&=+/~:,;.-_#') {
        const changed = signed.slice(0, at) + byte + signed.slice(at + 1)
        if (changed === signed) continue
        try {
          const link = read(changed)
          if (verifySignature(link, secrets) === 'valid') expect(meaning(link)).toBe(original)
          changes++
        } catch (error) {
          if (!(error instanceof URIError)) expect(error).toBeInstanceOf(AppError)
        }
      }
    }
    expect(changes).toBeGreaterThan(1000)
  })
})

describe('signed terms', () => {
  test('are read strictly', () => {
    expect(signedTerms(read(`tee?amount=900&customer_id=${uuid}&expires_at=1800000000&uses=3`))).toEqual({
      amount: 900,
      customerId: uuid,
      expiresAt: new Date('2027-01-15T08:00:00Z'),
      uses: 3,
    })
    expect(signedTerms(read(`tee?user_id=${uuid}`))).toEqual({ userId: uuid })
    expect(signedTerms(read('tee'))).toEqual({})
  })

  test.each([
    'amount=0',
    'amount=1.5',
    'amount=01',
    'amount=',
    'amount=1&amount=2',
    'amount=99999999999999999999',
    'uses=0',
    'uses=x',
    'customer_id=7',
    'user_id=7',
    `customer_id=${uuid}&user_id=${uuid}`,
    'expires_at=2027-01-15',
    'expires_at=0',
    'expires_at=999999999999',
  ])('%s is refused as malformed', (query) => {
    expect(() => signedTerms(read(`tee?${query}`))).toThrow('malformed-link')
  })

  test('a price is for one product', () => {
    expect(signedTerms(read('tee:5?amount=900'))).toEqual({ amount: 900 })
    expect(() => signedTerms(read('tee:1,mug:1?amount=900'))).toThrow('malformed-link')
  })
})

describe('the id of a signed link', () => {
  test('is short, and the same whichever secret signed and whatever was appended', () => {
    const id = linkId(read(signed))
    expect(id).toMatch(/^[A-Za-z0-9_-]{16}$/)
    expect(linkId(read(sign(target, ['other'])))).toBe(id)
    expect(linkId(read(`${signed}&utm_source=mail`))).toBe(id)
    expect(linkId(read(sign('tee')))).not.toBe(id)
  })
})

test('whatever the builder signs, the reader finds valid', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(text, text, fc.integer({ min: 1, max: 99 }), fc.nat(), (sku, note, quantity, cents) => {
      let link: URL
      try {
        const request = { publicUrl: new URL('https://shop.example'), items: [{ sku, quantity }] }
        const signing = { secrets, amount: cents + 1 }
        link = new URL(buildLink({ ...request, parameters: { metadata: { note } }, signing }))
      } catch (error) {
        expect(error).toBeInstanceOf(AppError)
        return
      }
      const found = read(link.pathname.slice('/buy/'.length) + link.search)
      expect(verifySignature(found, secrets)).toBe('valid')
      expect(signedTerms(found).amount).toBe(cents + 1)
      expect(found.parameters.metadata).toEqual({ note })
    }),
  )
})
