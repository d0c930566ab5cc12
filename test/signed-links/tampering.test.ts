import { Client } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseItems } from '../../src/links/cart.ts'
import { queryPairs, readParameters } from '../../src/links/parameters.ts'
import { expectPage, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { startService } from '../service.ts'
import { expectForged, SIGNING, signed, UUID } from './signed.ts'

describe('tampering', () => {
  const link = signed(
    { amount: 1900, expiresAt: new Date('2100-01-01T00:00:00Z'), uses: 3 },
    { parameters: { email: 'jo@example.com', metadata: { seat: 'A1' }, clientReferenceId: 'r-1' } },
  )

  // Every byte is changed in test/links/signature.test.ts, without HTTP.
  test('with any part of a link is refused with a page and opens no session, unless it still means the same or has no signature any more', async () => {
    const shop = await startService({ env: SIGNING })
    expect((await shop.get(link, { method: 'HEAD' })).status).toBe(200)
    // The first character of the path, of each name and each value, and the characters between them.
    const positions = [...link.matchAll(/[^/?&=:]+|[?&=:]/g)].map(({ index }) => index).slice(1)
    // Unlike fetch it sends the path unchanged, without normalising it.
    const client = new Client(shop.url)
    onTestFinished(() => client.close())
    let tried = 0
    let unsigned = 0
    for (const at of positions) {
      for (const changed of changesAt(link, at)) {
        tried++
        const before = sessionsOf(shop).length
        const { statusCode, body } = await client.request({ path: changed, method: 'GET' })
        const text = await body.text()
        const opened = sessionsOf(shop).length - before
        if (statusCode !== 303) {
          // Only a path that is no link at all gets another answer than a forged link.
          const expected = at <= link.indexOf('?') && statusCode !== 403 ? [400, 404] : [403]
          expect(expected, changed).toContain(statusCode)
          expect(text).toContain('Reference <code>')
          expect(`${changed} ${opened}`).toBe(`${changed} 0`)
          continue
        }
        expect(`${changed} ${opened}`).toBe(`${changed} 1`)
        const amount = lastAsked(shop).line_items[0]?.price_data.amount
        if (lastAsked(shop).metadata?.link === undefined) {
          // Without a signature it is the plain link, which anybody may write: none of the terms apply.
          unsigned++
          expect(`${changed} ${amount}`).toBe(`${changed} 2500`)
        } else {
          expect(meaningOf(changed)).toBe(meaningOf(link))
          expect(`${changed} ${amount}`).toBe(`${changed} 1900`)
          expect(lastAsked(shop).customer_email).toBe('jo@example.com')
        }
      }
    }
    expect(tried).toBeGreaterThan(150)
    // By a change to the name of the signature's parameter, or to the characters around it.
    expect(unsigned).toBeGreaterThan(0)
    expect(unsigned).toBeLessThan(25)
  })

  test('by adding or changing who buys is refused', async () => {
    const shop = await startService({ env: SIGNING })
    for (const more of [
      'email=eve@example.com',
      'buyer/email=eve@example.com',
      'prefilled_email=eve@example.com',
    ]) {
      await expectForged(shop, `${link}&${more}`)
      await expectForged(shop, `${signed()}&${more}`)
    }
    await expectForged(shop, link.replace('jo%40example.com', 'eve%40example.com'))
    await expectForged(shop, link.replace('buyer/email=jo%40example.com&', ''))
  })

  test('by adding any parameter of the sale is refused', async () => {
    const shop = await startService({ env: SIGNING })
    for (const more of [
      'quantity=3',
      'qty=2',
      'amount=1',
      `customer_id=${UUID}`,
      'metadata_x=1',
      'metadata[x]=1',
      'uses=99',
      'expires_at=4102444801',
      'client_reference_id=z',
      '&amp;amount=1',
      'link_signature=x',
    ]) {
      await expectForged(shop, `${signed()}&${more}`)
    }
  })

  test('by a form that contradicts the link is refused', async () => {
    const shop = await startService({ env: SIGNING })
    const answer = await shop.get(signed(), { method: 'POST', body: new URLSearchParams({ amount: '1' }) })
    expect((await expectPage(answer, 403)).text).toContain('This link was changed')
  })

  test('by moving the signature to another product or quantity is refused', async () => {
    const shop = await startService({ env: SIGNING })
    for (const items of ['mug:2', 'tee:3', 'tee:2,mug:2', 'tee', 'nothing:2']) {
      await expectForged(shop, signed().replace('/buy/tee:2', `/buy/${items}`))
    }
  })

  test('is refused for HEAD as for GET', async () => {
    const shop = await startService({ env: SIGNING })
    expect((await shop.get(signed(), { method: 'HEAD' })).status).toBe(200)
    expect((await shop.get(`${signed()}&amount=1`, { method: 'HEAD' })).status).toBe(403)
    expect(shop.sandbox.requests).toEqual([])
  })
})

/** The link with one byte replaced by others, taken out, and doubled. */
function* changesAt(link: string, at: number): Generator<string> {
  const before = link.slice(0, at)
  const now = link[at] ?? ''
  const after = link.slice(at + 1)
  // The opposite case, a digit, a letter, a character that has a meaning in a query, and one that has none.
  const swapped = now === now.toUpperCase() ? now.toLowerCase() : now.toUpperCase()
  for (const other of new Set([swapped, now === '7' ? '8' : '7', now === 'x' ? 'y' : 'x', '&', '-'])) {
    if (other !== now) yield before + other + after
  }
  yield before + after
  yield before + now + now + after
}

/** What a link says, as far as its signature covers it, and the exact signature. */
function meaningOf(path: string): string {
  // A `&` in place of the `?` is repaired.
  const end = path.search(/[?&]/)
  const items = parseItems(decodeURIComponent(path.slice('/buy/'.length, end)))
  const parameters = readParameters(queryPairs(path.slice(end + 1)))
  return JSON.stringify([parameters.signature, items, [...parameters.covered]])
}
