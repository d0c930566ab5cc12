import { describe, expect, test } from 'vitest'
import type { DotsClientOptions } from '../../src/dots/client.ts'
import { clientOf } from './servers.ts'

type Policy = Pick<DotsClientOptions, 'checkoutHosts' | 'allowHttpCheckout'>

const check = (url: string, policy: Policy) => clientOf('https://dots.example/api', policy).checkUrl(url)

const ANY_HTTPS: Policy = { checkoutHosts: [], allowHttpCheckout: false }

describe('any https host', () => {
  test.each([
    ['https://pay.example/c/1', 'https://pay.example/c/1'],
    ['https://pay.example', 'https://pay.example/'],
    ['HTTPS://PAY.Example/C?a=b#c', 'https://pay.example/C?a=b#c'],
    ['https://pay.example:8443/c', 'https://pay.example:8443/c'],
    ['https://pay.example:443/c', 'https://pay.example/c'],
    ['https://bücher.example/ü', 'https://xn--bcher-kva.example/%C3%BC'],
    ['https://[::1]/c', 'https://[::1]/c'],
    ['https:\\\\pay.example\\c', 'https://pay.example/c'],
    ['  https://pay.example/c\n', 'https://pay.example/c'],
    ['ht\ntps://pay.example/\r\nc', 'https://pay.example/c'],
    ['https://pay.example/"><script>', 'https://pay.example/%22%3E%3Cscript%3E'],
  ])('%j is accepted as %s', (raw, href) => {
    expect(check(raw, ANY_HTTPS)?.href).toBe(href)
  })

  test.each([
    '',
    ' ',
    'pay.example/c',
    '/c/1',
    '//pay.example/c',
    '\\\\pay.example\\c',
    'http://pay.example/c',
    'http://localhost:4010/c',
    'https://',
    'https://user@pay.example/c',
    'https://user:pw@pay.example/c',
    'https://:pw@pay.example/c',
    'https://pay.example@evil.example/c',
    'https://pay.example:99999/c',
    'https://pay example/c',
    'javascript:alert(1)',
    'JavaScript://pay.example/%0aalert(1)',
    ' java\nscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'blob:https://pay.example/1',
    'file:///etc/passwd',
    'ftp://pay.example/c',
    'ws://pay.example/c',
    'intent://pay.example/c',
  ])('%j is refused', (raw) => {
    expect(check(raw, ANY_HTTPS)).toBeUndefined()
  })
})

test('an accepted URL has no control character and no space, whatever came in', () => {
  for (const raw of ['https://pay.example/a b\t\r\nSet-Cookie: x=1', 'https://pay.example/\u0000\u2028é']) {
    expect(check(raw, ANY_HTTPS)?.href).toMatch(/^[\x21-\x7e]+$/)
  }
})

describe('plain http, where Dots is on this machine', () => {
  const local = { checkoutHosts: [], allowHttpCheckout: true }
  test.each(['http://localhost:4010/checkout/1', 'http://127.0.0.1/c', 'https://pay.example/c'])(
    '%s is accepted',
    (raw) => {
      expect(check(raw, local)?.href).toBe(raw)
    },
  )
  test.each(['http://user@localhost/c', 'javascript:alert(1)', 'ftp://localhost/c'])(
    '%s is refused',
    (raw) => {
      expect(check(raw, local)).toBeUndefined()
    },
  )
})

describe('a list of hosts', () => {
  const listed = {
    checkoutHosts: ['pay.example', 'xn--bcher-kva.example', '[::1]'],
    allowHttpCheckout: false,
  }
  test.each([
    'https://pay.example/c',
    'https://PAY.EXAMPLE/c',
    'https://pay.example:8443/c',
    'https://bücher.example/c',
    'https://XN--BCHER-KVA.example/c',
    'https://[0:0:0:0:0:0:0:1]/c',
    'https://p%61y.example/c',
  ])('%s is on it', (raw) => {
    expect(check(raw, listed)).toBeInstanceOf(URL)
  })
  test.each([
    'https://evil.example/c',
    'https://pay.example.evil.example/c',
    'https://sub.pay.example/c',
    'https://xpay.example/c',
    // Another name for DNS and for certificates: the merchant has not listed it.
    'https://pay.example./c',
    'https://evil.example/https://pay.example/',
    'https://evil.example?pay.example',
    'https://evil.example\\@pay.example/c',
    'https://pay.example@evil.example/c',
    // The first letter is Cyrillic.
    'https://рay.example/c',
    'http://pay.example/c',
    'https://[::2]/c',
  ])('%s is not on it', (raw) => {
    expect(check(raw, listed)).toBeUndefined()
  })
})
