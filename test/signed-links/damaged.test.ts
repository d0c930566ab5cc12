import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCatalog } from '../../src/catalog/catalog.ts'
import { type Link, readLink } from '../../src/checkout/link.ts'
import { hasCode } from '../../src/errors.ts'
import { queryPairs } from '../../src/links/parameters.ts'
import { isUnfilled } from '../../src/links/placeholders.ts'
import { click, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { counts } from '../counts.ts'
import { PRODUCTS, type Service, startService } from '../service.ts'
import { expectForged, SECRET, SIGNING, signed } from './signed.ts'

const LINK = signed({ amount: 1900, uses: 3 })
const [PATH = '', QUERY = ''] = LINK.split('?')
const LINKS = [
  LINK,
  signed({ amount: 1900, expiresAt: new Date('2100-01-01T00:00:00Z') }),
  signed({ amount: 1900 }, { parameters: { attribution: { utm_source: 'news' } } }),
  // As links were printed before the signature was put first.
  `${PATH}?${QUERY.split('&').reverse().join('&')}`,
]

async function expectSigned(shop: Service, path: string): Promise<void> {
  const before = sessionsOf(shop).length
  const answer = await shop.get(path)
  expect(`${path} ${answer.status}`).toBe(`${path} 303`)
  expect(sessionsOf(shop).length).toBe(before + 1)
  expect(lastAsked(shop).line_items[0]).toMatchObject({ quantity: 2, price_data: { amount: 1900 } })
}

describe('a signed link', () => {
  test.each([
    ...['.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', "'", '*', '_', '…', ' ', '+', '\t', '\u00a0'],
    ...[
      '\u200b',
      '\u200e',
      '\ufeff',
      '\u2060',
      '”',
      '’',
      '»',
      '›',
      '“',
      '。',
      '、',
      '，',
      '．',
      '）',
      '」',
      '؟',
      '،',
    ],
    ...[
      ').',
      '>.',
      '*_',
      '",',
      '…"',
      '.\u200b',
      '!!!!!!',
      ' )',
      '&gt;',
      '&#39;',
      '.&gclid=x',
      ')&utm_source=mail',
    ],
  ])('with %j behind it is sold as signed', async (tail) => {
    const shop = await startService({ env: SIGNING })
    for (const link of LINKS) {
      await expectSigned(shop, link + tail)
      await expectSigned(shop, link + encodeURI(tail))
    }
  })

  test.each([
    '?utm_source=mail',
    '%3Futm_source=mail',
    '%3futm_source=mail',
    '%253Futm_source=mail',
    '&amp;utm_source=mail',
    '&amp;amp;utm_source=mail',
    '%26utm_source=mail',
    '%26amp;utm_source=mail',
    '%26amp%3Butm_source%3Dmail',
    '%2526utm_source=mail',
    ';utm_source=mail',
    '%20utm_source=mail',
    '+utm_source=mail',
    '.?utm_source=mail',
    ')%20?utm_source=mail',
    '?ref=jo?utm_source=mail',
    '?utm_medium=x&amp;utm_source=mail&amp;utm_term=y',
  ])('with %s glued to it is sold as signed, with the attribution', async (tail) => {
    const shop = await startService({ env: SIGNING })
    for (const link of [LINK, LINKS[1], LINKS[3]]) {
      await expectSigned(shop, link + tail)
      expect(lastAsked(shop).metadata?.utm_source).toBe('mail')
    }
  })

  test.each(['&', '%3F', '%3f', '%26', '&amp;', '?%3F', '.?', '%20?'])(
    'with %s for its ? is sold as signed, also with slashes behind it',
    async (mark) => {
      const shop = await startService({ env: SIGNING })
      await expectSigned(shop, `${PATH}${mark}${QUERY}`)
      const parameters = { email: 'jo+tee@example.com', attribution: { 'a.b': 'c/d' } }
      const link = signed({ amount: 1900 }, { parameters }).replace('?', mark)
      for (const tail of ['', '/', '/?gclid=x', '?gclid=/x']) {
        await expectSigned(shop, link + tail)
        expect(lastAsked(shop)).toMatchObject({ customer_email: 'jo+tee@example.com' })
      }
      expect((await shop.get(link, { method: 'HEAD' })).status).toBe(200)
      expect((await shop.get(link, { method: 'POST' })).status).toBe(303)
    },
  )

  test.each(['&', '%3F', '%253F', '%2526', '%20'])(
    'with %s for its ? and another email is a page that leads to the product',
    async (mark) => {
      const shop = await startService({ env: SIGNING })
      const link = `/buy/tee${mark}link_signature=x&buyer/email=eve@example.com`
      await expectForged(shop, link)
      expect(await (await shop.get(link)).text()).toMatch(/href="\/products\/tee[?"]/)
    },
  )

  test.each([
    ...['link', 'link_', 'link_s', 'link_sig', 'link_signatur', 'link_sig=', 'LINK_SIG', '/link_sig'],
    ...[
      'link_sig...',
      'link_sig…',
      'link_sig.',
      'link_sig)',
      'link_sig%22',
      'link_%20',
      'link.',
      'link_sig)%E2%80%8B',
    ],
    ...['link%', 'link%5', 'link%5Fsig', 'link%255', 'link%255Fsi', 'link%5C', 'link%5C_si'],
    ...[
      '&amp;link_sig',
      'amp;amp;link',
      'utm_source=x&link_sig',
      'utm_source=x?link_sig',
      'utm_source=x%26link_',
    ],
    ...['link_s&utm_source=x', 'link_sig&utm_medium=email&mc_cid=1', 'link%5&gclid=x', 'link_sig=&gclid=x'],
    ...[
      'link_sig?utm_source=x',
      'link?gclid=x',
      'link_si.%20?gclid=x',
      'link_sig%3Futm_source=x',
      'link%5?gclid=x',
    ],
    ...[
      'link%E2%80%8B_signature=x',
      'linksignature=x',
      'link-signature=x',
      'link=5Fsignature=x',
      'link%C2%AD_s',
    ],
    ...['link_sig%253Fgclid=x', 'link_sig%26gclid=x', 'link_sig;gclid=x', 'link_%20see', 'link_sig&gt;'],
  ])('that was cut or altered inside the name of the signature is a changed one: ?%s', async (query) => {
    const shop = await startService({ env: SIGNING })
    await expectForged(shop, `/buy/tee?${query}`)
    await expectForged(shop, `${PATH}?${query}`)
    expect(await (await shop.get(`/buy/tee?${query}`)).text()).toMatch(/href="\/products\/tee[?"]/)
  })

  test.each(['&link_', '%3Flink_sig', '%3Flink_s&gclid=x', '%26link_sig.', '&amp;link_sig', '%253Flink_s'])(
    'that was cut there and has lost its ? is a changed one: %s',
    async (rest) => {
      const shop = await startService({ env: SIGNING })
      await expectForged(shop, `/buy/tee${rest}`)
      expect(await (await shop.get(`/buy/tee${rest}`)).text()).toMatch(/href="\/products\/tee[?"]/)
    },
  )

  test.each([
    ...[
      'l',
      'li',
      'lin',
      'lin.',
      'links',
      'linked',
      'link_id',
      'link-',
      'link=x',
      'link_s=1',
      'link.id=5',
      'link[0]=5',
    ],
    ...[
      'links?gclid=x',
      'mylink',
      'my_link_',
      'utm_source=best%20link',
      'metadata_note=see%20link_',
      'utm_source=link',
    ],
  ])('is not what carries a parameter of somebody else: ?%s', async (query) => {
    const shop = await startService({ env: SIGNING })
    await click(shop, `/buy/tee?${query}`)
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(2500)
  })

  test('is not what sells a product whose sku is like the name of the signature', async () => {
    const skus = ['link', 'link_', 'link_sig', 'cuff-link']
    const shop = await startService({ products: skus.map((sku) => ({ sku, name: sku, amount: 1 })) })
    for (const sku of skus) await click(shop, `/buy/${sku}`)
    await click(shop, '/buy/link:1,link_:2')
    expect(lastAsked(shop).line_items.map(({ quantity }) => quantity)).toEqual([1, 2])
  })

  test.each([
    `${PATH}?quantity=2?${QUERY}`,
    `${PATH}?utm_source=x%26${QUERY}`,
    `${PATH}?utm_source=x&amp;${QUERY}`,
    `${PATH}?gclid=x?${QUERY}`,
    `${PATH}%3Futm_source=x&${QUERY}`,
  ])('is never sold at the list price where the signature is glued to something: %s', async (link) => {
    const shop = await startService({ env: SIGNING })
    if (link.includes('quantity')) await expectForged(shop, link)
    else await expectSigned(shop, link)
  })

  test.each([
    `${PATH}?${QUERY.slice(0, 30)}`,
    `${PATH}?link_signature=`,
    `${PATH}?link_signature`,
    `${PATH}?link_signa`,
    `${PATH}?${QUERY.replace('link_', 'LINK_')}`,
    `${PATH}?${QUERY.replace('_', '%5C_')}`,
    `${PATH}?${QUERY.replace('_', '%255F')}`,
    `${PATH}?utm_source=see%20link_signature`,
    `${PATH}link_signature=x`,
    '/buy/tee:2,?link_signature=x',
  ])('that was damaged beyond repair is a page that leads to the product: %s', async (link) => {
    const shop = await startService({ env: SIGNING })
    await expectForged(shop, link)
    expect(await (await shop.get(link)).text()).toMatch(
      /href="\/products\/tee[?"][^>]*>Go to Black T-shirt, M</,
    )
  })

  test('of several products leads to each of them, and a made-up one to none', async () => {
    const shop = await startService({ env: SIGNING })
    const productsOf = async (path: string) =>
      [...(await (await shop.get(path)).text()).matchAll(/href="\/products\/(\w+)[?"]/g)].map(
        ([, sku]) => sku,
      )
    expect(await productsOf('/buy/tee:2,mug:2,nope:1?link_signature=x')).toEqual(['tee', 'mug'])
    expect(await productsOf('/buy/nope?link_signature=x')).toEqual([])
    expect(await productsOf('/buy/~!!:1,,:?link_signature=x')).toEqual([])
  })

  test('is repaired for a form and for HEAD as well', async () => {
    const shop = await startService({ env: SIGNING })
    expect((await shop.get(`${LINK}.`, { method: 'HEAD' })).status).toBe(200)
    expect((await shop.get(`${LINK}.`, { method: 'POST' })).status).toBe(303)
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(1900)
    const body = new URLSearchParams({ note: `x?${QUERY}` })
    await click(shop, PATH, { method: 'POST', body })
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(1900)
  })
})

describe('any signed link', () => {
  const catalog = parseCatalog(JSON.stringify({ products: PRODUCTS }))

  /** Reads a path and query as the service does: 'changed' is its answer 403. */
  function read(target: string): Link | 'changed' {
    const [path = '', ...query] = target.split('?')
    const segment = decodeURIComponent(path.slice('/buy/'.length))
    const now = new Date('2026-11-22T10:00:00Z')
    try {
      return readLink(segment, queryPairs(query.join('?')), { catalog, secrets: [SECRET], now })
    } catch (error) {
      if (hasCode(error, 'link-changed')) return 'changed'
      throw error
    }
  }

  /** The list price is 2500. */
  function expectNoListPrice(target: string): void {
    const link = read(target)
    if (link !== 'changed') expect(link).toMatchObject({ terms: { amount: 1900 }, cart: [{ quantity: 2 }] })
  }

  const note = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => {
    return text.trim() !== '' && !isUnfilled(text) && !/[\p{Cc}\p{Zl}\p{Zp}\uFFFD]/u.test(text)
  })
  const link = fc
    .record({
      uses: fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined }),
      note: fc.option(note, { nil: undefined }),
      email: fc.constantFrom(undefined, 'jo+tee@example.com'),
      reference: fc.constantFrom(undefined, 'order-1042_'),
      source: fc.option(note, { nil: undefined }),
    })
    .map(({ uses, note: text, email, reference, source }) =>
      signed(
        { amount: 1900, uses },
        {
          parameters: {
            email,
            clientReferenceId: reference,
            metadata: text === undefined ? {} : { note: text },
            attribution: source === undefined ? {} : { utm_source: source },
          },
        },
      ),
    )
  const punctuation = fc
    .string({ unit: fc.constantFrom(...'.,;:!?)]}>"\'*_… \u200b”」。'), minLength: 1, maxLength: 6 })
    .map(encodeURIComponent)
  const glue = fc.constantFrom('?', '%3F', '&amp;', '%26', ';', '%20', '&', '%26amp;')
  const parameters = { numRuns: counts(5_000, 500) }

  const appended = fc.constantFrom('', 'utm_source=x', 'gclid=x', 'mc_cid=1&utm_medium=email&mc_eid=2')

  test('that lost its end is never sold at the list price, whatever came behind it', () => {
    fc.assert(
      fc.property(link, fc.nat(), fc.option(punctuation), glue, appended, (whole, cut, tail, mark, more) => {
        const start = whole.indexOf('link_') + 'link'.length
        const rest = whole.slice(0, start + (cut % (whole.length - start)))
        expectNoListPrice(rest + (tail ?? '') + (more && mark + more))
      }),
      parameters,
    )
  })

  test('that was cut inside the name of its signature is a changed one', () => {
    const underscore = fc.constantFrom('_', '%5F', '%5f', '%255F', '%5C_')
    // Inside a value the name has to have its underscore.
    const start = fc.oneof(
      fc.record({ before: fc.constantFrom('?', '?&amp;', '?utm_source=x&'), isInValue: fc.constant(false) }),
      fc.record({ before: fc.constantFrom('?ref=x?', '?gclid=x%26'), isInValue: fc.constant(true) }),
    )
    fc.assert(
      fc.property(
        underscore,
        start,
        fc.nat(),
        fc.option(punctuation),
        glue,
        appended,
        (sign, { before, isInValue }, cut, tail, mark, more) => {
          const name = `link${sign}signature`
          const least = 'link'.length + (isInValue ? sign.length : 0)
          const rest = name.slice(0, least + (cut % (name.length - least)))
          expect(read(`${PATH}${before}${rest}${tail ?? ''}${more && mark + more}`)).toBe('changed')
        },
      ),
      parameters,
    )
  })

  test('with punctuation and a glued parameter behind it is sold as signed', () => {
    fc.assert(
      fc.property(
        link.filter((whole) => !whole.includes('utm_source')),
        punctuation,
        glue,
        (whole, tail, mark) => {
          for (const damaged of [
            whole + tail,
            `${whole}${mark}utm_source=x`,
            `${whole}${tail}${mark}utm_source=x`,
          ]) {
            expect(read(damaged)).toMatchObject({ terms: { amount: 1900 }, cart: [{ quantity: 2 }] })
          }
        },
      ),
      parameters,
    )
  })

  test('with anything put into it or in place of a part of it is never sold at the list price', () => {
    const text = fc.oneof(
      punctuation,
      glue,
      fc.constantFrom('quantity=1', 'amount=1', 'link_signature=x', '='),
    )
    fc.assert(
      fc.property(
        link,
        fc.nat(),
        fc.array(text, { maxLength: 3 }),
        fc.nat(3),
        (whole, position, texts, lost) => {
          const start = whole.indexOf('link_signature=') + 'link_signature='.length
          const at = start + (position % (whole.length - start))
          expectNoListPrice(whole.slice(0, at) + texts.join('') + whole.slice(at + lost))
        },
      ),
      parameters,
    )
  })

  test('with its ? escaped or replaced is sold as signed', () => {
    fc.assert(
      fc.property(link, glue, (whole, mark) => {
        const at = whole.indexOf('?')
        // The slash of the email's name would be another path.
        const query = whole.slice(at + 1).replaceAll('/', '%2F')
        fc.pre(!/%(?:2B|25|26|3D|23|3F)/.test(query) && !mark.includes('20') && mark !== ';')
        expect(read(whole.slice(0, at) + mark.replace('amp;', '') + query)).toMatchObject({
          terms: { amount: 1900 },
        })
      }),
      parameters,
    )
  })
})
