import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCatalog } from '../../src/catalog/catalog.ts'
import { type Link, readLink, readRest } from '../../src/checkout/link.ts'
import { hasCode } from '../../src/errors.ts'
import { type Cart, parseItems } from '../../src/links/cart.ts'
import { type BuyerParameters, buildLink } from '../../src/links/link-builder.ts'
import { queryPairs, rawQuery, readParameters } from '../../src/links/parameters.ts'
import { counts } from '../counts.ts'

const SKUS = [
  'tee',
  'tee.',
  'tee-black-m',
  'café',
  "o'neill",
  'nag\u0308el',
  'a&b=c',
  'x?y',
  'ünï“c”',
  '日本',
  'a:b',
  '~tilde',
  '100%',
]
const catalog = parseCatalog(
  JSON.stringify({ products: SKUS.map((sku, index) => ({ sku, name: sku, amount: 1000 + index })) }),
)
const SECRET = 'secret-of-the-property-test'
const SIGNED_AMOUNT = 7
const NOW = new Date('2026-11-22T10:00:00Z')
const publicUrl = new URL('https://buy.shop.example')

/** The segment and pairs of a URL, as the service gets them. */
function parts(url: string) {
  const target = url.replace(publicUrl.origin, '')
  const path = target.split('?', 1)[0] ?? ''
  return { segment: decodeURIComponent(path.slice('/buy/'.length)), pairs: queryPairs(rawQuery(target)) }
}

function read(url: string): Link | undefined {
  const { segment, pairs } = parts(url)
  try {
    return readLink(segment, pairs, { catalog, secrets: [SECRET], now: NOW })
  } catch (error) {
    if (hasCode(error, 'malformed-link', 'link-changed', 'unknown-sku', 'bad-quantity')) return undefined
    throw error
  }
}

const note = fc
  .stringMatching(/^[A-Za-z0-9é日 ,.!-]{1,20}$/)
  .filter((text) => /[A-Za-z0-9é日]$/.test(text) && !/^-.*-$/.test(text))
const word = fc
  .stringMatching(/^[a-z][a-z0-9]{1,10}$/)
  .filter((text) => !['null', 'nan', 'undefined'].includes(text))
const cart: fc.Arbitrary<Cart> = fc.uniqueArray(
  fc.record({ sku: fc.constantFrom(...SKUS), quantity: fc.integer({ min: 1, max: 9 }) }),
  {
    minLength: 1,
    maxLength: 3,
    selector: ({ sku }) => sku,
  },
)
const sellable = fc
  .record({
    items: cart,
    isSigned: fc.boolean(),
    email: fc.constantFrom(undefined, 'jane+tee@example.com'),
    reference: fc.option(word, { nil: undefined }),
    gift: fc.option(note, { nil: undefined }),
    source: fc.option(word, { nil: undefined }),
  })
  .map(({ items, isSigned, email, reference, gift, source }) => {
    const parameters: BuyerParameters = {
      email,
      clientReferenceId: reference,
      metadata: gift === undefined ? {} : { gift },
      attribution: source === undefined ? {} : { utm_source: source },
    }
    const amount = items.length === 1 ? SIGNED_AMOUNT : undefined
    const signing = isSigned ? { secrets: [SECRET], amount, uses: 3 } : undefined
    return { items, isSigned, url: buildLink({ publicUrl, items, parameters, signing }) }
  })

const tail = fc.constantFrom(
  '.',
  ',',
  ';',
  ':',
  '!',
  '?',
  ')',
  ']',
  '}',
  '>',
  '"',
  "'",
  '*',
  '_',
  '…',
  ' ',
  '\u200b',
  '。',
  '”',
  '»',
  '）',
  ').',
  '".',
  '.\u200b',
)
const glue = fc.constantFrom('?', '%3F', '%253F', '&amp;', '&amp;amp;', '%26', '%2526', ';', '%20', '+')
const unseen = fc.constantFrom('%E2%80%8B', '%C2%AD', '%20', '%0A', '%EF%B8%8F', '%00')

type Damage = (url: string) => string
/** Each is one mistake of a program or a person. */
const damage: fc.Arbitrary<Damage> = fc.oneof(
  tail.map(
    (text): Damage =>
      (url) =>
        url + encodeURIComponent(text),
  ),
  tail.map(
    (text): Damage =>
      (url) =>
        url + encodeURI(text),
  ),
  glue.map(
    (sign): Damage =>
      (url) =>
        `${url}${url.includes('?') ? sign : '?'}utm_medium=mail`,
  ),
  glue
    .filter((sign) => !/amp|;|20|\+/.test(sign))
    .map(
      (sign): Damage =>
        (url) =>
          url.replace('?', sign).replaceAll(/(?<=buyer)\//g, '%2F'),
    ),
  fc.constant<Damage>((url) => (url.includes('?') ? url : `${url}&utm_medium=mail`)),
  fc.constant<Damage>((url) => url.replaceAll('&', '&amp;')),
  fc.tuple(unseen, fc.nat()).map(
    ([sign, position]): Damage =>
      (url) => {
        // Into the items, not into an escape or a token.
        const start = url.indexOf('/buy/') + '/buy/'.length
        const end = url.includes('?') ? url.indexOf('?') : url.length
        const at = start + (position % (end - start + 1))
        const items = url.slice(start, end)
        return items.includes('~') || items.includes('%') ? url : url.slice(0, at) + sign + url.slice(at)
      },
  ),
  fc.constant<Damage>((url) => `${url}${url.includes('?') ? '&' : '?'}gclid=x&mc_cid=1`),
)

const whatWasMeant = (items: Cart) => items.map(({ sku, quantity }) => ({ sku, quantity }))

test('any sellable link with one mistake is sold as it was meant, or answered with a page that leads to the product', () => {
  let sold = 0
  fc.assert(
    fc.property(sellable, damage, ({ items, isSigned, url }, spoil) => {
      const damaged = spoil(url)
      const link = read(damaged)
      if (link !== undefined) {
        sold += 1
        expect([damaged, link.cart]).toEqual([damaged, whatWasMeant(items)])
        if (isSigned) expect(link.linkId).toBeDefined()
        if (isSigned && items.length === 1) expect(link.terms.amount).toBe(SIGNED_AMOUNT)
        return
      }
      const { segment, pairs } = parts(damaged)
      const named = readRest(segment, pairs, catalog).items.map(({ product }) => product.sku)
      expect([damaged, named]).toEqual([damaged, expect.arrayContaining([expect.any(String)])])
      expect(items.map(({ sku }) => sku)).toEqual(expect.arrayContaining(named))
    }),
    { numRuns: counts(100_000, 3_000) },
  )
  // Most of them are sold: a page would be the poorer answer.
  expect(sold).toBeGreaterThan(counts(100_000, 3_000) * 0.9)
})

test('any undamaged link is read as it always was', () => {
  fc.assert(
    fc.property(sellable, ({ items, url }) => {
      const { segment, pairs } = parts(url)
      const link = read(url)
      expect(link?.cart).toEqual(whatWasMeant(items))
      expect(link?.items).toEqual(parseItems(segment))
      expect(link?.parameters).toEqual(readParameters(pairs))
    }),
    { numRuns: counts(20_000, 1_000) },
  )
})

test('no text at all makes the reader of links fail or hang', () => {
  const piece = fc.constantFrom(
    ...'?&;:,.%~<>"\'*_ ',
    '%3F',
    '%26',
    '&amp;',
    'tee',
    'link_signature=',
    'quantity=2',
    'utm_source=',
    '{{',
    '}}',
    '__',
    '[[',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.array(piece, { maxLength: 60 }), (path, query) => {
      const pairs = queryPairs(query.join(''))
      readRest(path.join(''), pairs, catalog)
      try {
        readLink(path.join(''), pairs, { catalog, secrets: [SECRET], now: NOW })
      } catch (error) {
        expect(hasCode(error, 'malformed-link', 'link-changed', 'unknown-sku', 'bad-quantity')).toBe(true)
      }
    }),
    { numRuns: counts(20_000, 1_000) },
  )
})
