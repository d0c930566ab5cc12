import { Client } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseItems } from '../../src/links/cart.ts'
import { type BuyerParameters, buildLink, type Signing } from '../../src/links/link-builder.ts'
import { readParameters } from '../../src/links/parameters.ts'
import { linkId } from '../../src/links/signature.ts'
import { click, expectPage, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { readTags } from '../pages/markup.ts'
import { type Service, startService } from '../service.ts'

const SECRET = 'first-secret'
const OLD_SECRET = 'older-secret'
const SIGNING = { LINK_SIGNING_SECRET: `${SECRET}, ${OLD_SECRET}` }
const UUID = '2f1c3a52-7a1e-4c0e-9d8f-0a1b2c3d4e5f'
const NOW = new Date('2026-11-22T10:00:00Z')

/** The path and query of a signed link. */
function signed(
  terms: Omit<Signing, 'secrets'> = { amount: 1900 },
  {
    parameters = {},
    items = [{ sku: 'tee', quantity: 2 }],
    secrets = [SECRET],
  }: { parameters?: BuyerParameters; items?: { sku: string; quantity: number }[]; secrets?: string[] } = {},
): string {
  const publicUrl = new URL('https://shop.example')
  const link = buildLink({ publicUrl, items, parameters, signing: { secrets, ...terms } })
  return link.slice(publicUrl.origin.length)
}

async function expectForged(shop: Service, path: string): Promise<void> {
  const before = shop.sandbox.requests.length
  const answer = await shop.get(path)
  expect(`${path} ${answer.status}`).toBe(`${path} 403`)
  expect((await expectPage(answer, 403)).text).toContain('This link was changed')
  expect(shop.sandbox.requests.length).toBe(before)
}

/** Pays the newest session and lets the buyer come back, so that the shop knows of it. */
async function payNewest(shop: Service): Promise<void> {
  const session = sessionsOf(shop).at(-1)
  await shop.sandbox.pay(session?.id ?? '')
  expect((await fetch(session?.success_url ?? '')).status).toBe(200)
}

describe('what a signed link unlocks', () => {
  test('a price for one unit', async () => {
    const shop = await startService({ env: SIGNING })
    await click(shop, signed({ amount: 1900 }))
    expect(lastAsked(shop).line_items[0]).toMatchObject({ quantity: 2, price_data: { amount: 1900 } })
    expect(lastAsked(shop).metadata?.amount_total).toBe('3800')
  })

  test('a customer or a user of Dots', async () => {
    const shop = await startService({ env: SIGNING })
    await click(shop, signed({ customerId: UUID }))
    expect(lastAsked(shop).customer_id).toBe(UUID)
    expect(lastAsked(shop)).not.toHaveProperty('user_id')
    await click(shop, signed({ userId: UUID }))
    expect(lastAsked(shop).user_id).toBe(UUID)
    expect(lastAsked(shop)).not.toHaveProperty('customer_id')
  })

  test('never a customer and a user at once', () => {
    expect(() => signed({ customerId: UUID, userId: UUID })).toThrow()
  })

  test('an end: 410 from its second on, with a page and no session', async () => {
    let now = NOW
    const shop = await startService({ env: SIGNING, now: () => now })
    const link = signed({ expiresAt: new Date(NOW.getTime() + 60_000) })
    now = new Date(NOW.getTime() + 59_999)
    expect((await shop.get(link)).status).toBe(303)
    now = new Date(NOW.getTime() + 60_000)
    const asked = shop.sandbox.requests.length
    expect((await expectPage(await shop.get(link), 410)).text).toContain('This link has expired')
    expect((await shop.get(link, { method: 'HEAD' })).status).toBe(410)
    expect(shop.sandbox.requests.length).toBe(asked)
  })

  test('a number of sales: clicks do not use it up, completed sales do, and then it is a 410', async () => {
    const shop = await startService({ env: SIGNING })
    const link = signed({ uses: 2 })
    for (let visit = 0; visit < 4; visit++) await click(shop, link)
    await payNewest(shop)
    await click(shop, link)
    await payNewest(shop)
    const asked = shop.sandbox.requests.length
    expect((await expectPage(await shop.get(link), 410)).text).toContain('This link was used already')
    expect((await shop.get(link, { method: 'HEAD' })).status).toBe(410)
    expect((await shop.get(`${link}&utm_source=again`)).status).toBe(410)
    expect((await shop.get(link, { method: 'POST' })).status).toBe(410)
    expect(shop.sandbox.requests.length).toBe(asked)
    // Another link of the same kind has its own count, and the bare one none.
    expect((await shop.get(signed({ uses: 3 }))).status).toBe(303)
    expect((await shop.get('/buy/tee:2')).status).toBe(303)
  })

  test("the link's id in the metadata of the session", async () => {
    const shop = await startService({ env: SIGNING })
    const link = signed({ amount: 1900 })
    const [path = '', query = ''] = link.slice('/buy/'.length).split('?')
    await click(shop, `${link}&utm_source=x`)
    const id = lastAsked(shop).metadata?.link
    expect(id).toBe(linkId({ items: parseItems(path), parameters: readParameters(query) }))
    expect(id).toMatch(/^[A-Za-z0-9_-]{16}$/)
    await click(shop, '/buy/tee:2')
    expect(lastAsked(shop).metadata).not.toHaveProperty('link')
  })
})

describe('without a signature', () => {
  test('a price, a customer, a user, an end and a number of uses count for nothing', async () => {
    const shop = await startService({ env: SIGNING, now: () => NOW })
    await click(shop, `/buy/tee:2?amount=1&customer_id=${UUID}&user_id=${UUID}&expires_at=1&uses=1`)
    const asked = lastAsked(shop)
    expect(asked.line_items[0]?.price_data.amount).toBe(2500)
    for (const field of ['customer_id', 'user_id']) expect(asked).not.toHaveProperty(field)
  })

  test('the same where no secret is set', async () => {
    const shop = await startService()
    await click(shop, `/buy/tee:2?amount=1&customer_id=${UUID}`)
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(2500)
    expect(lastAsked(shop)).not.toHaveProperty('customer_id')
  })

  test('a signature where no secret is set is no signature of ours', async () => {
    const shop = await startService()
    await expectForged(shop, signed())
  })
})

describe('tampering', () => {
  const link = signed(
    { amount: 1900, expiresAt: new Date('2100-01-01T00:00:00Z'), uses: 3 },
    { parameters: { email: 'jo@example.com', metadata: { seat: 'A1' }, clientReferenceId: 'r-1' } },
  )

  test('of any byte is refused with a page and opens no session, unless the link still says the same or says nothing but what anybody may', async () => {
    const shop = await startService({ env: SIGNING })
    expect((await shop.get(link, { method: 'HEAD' })).status).toBe(200)
    const start = '/buy/'.length
    // Unlike fetch it sends the address as it stands, and does not tidy it up.
    const client = new Client(shop.url)
    onTestFinished(() => client.close())
    let tried = 0
    let unsigned = 0
    for (let at = start; at < link.length; at++) {
      for (const changed of changesAt(link, at)) {
        tried++
        const before = sessionsOf(shop).length
        const { statusCode, body } = await client.request({ path: changed, method: 'GET' })
        const text = await body.text()
        const opened = sessionsOf(shop).length - before
        if (statusCode !== 303) {
          // Only an address that is no link at all is told apart from a forged one.
          const expected = at <= link.indexOf('?') && statusCode !== 403 ? [400, 404] : [403]
          expect(expected, changed).toContain(statusCode)
          expect(text).toContain('Reference number')
          expect(`${changed} ${opened}`).toBe(`${changed} 0`)
          continue
        }
        expect(`${changed} ${opened}`).toBe(`${changed} 1`)
        const amount = lastAsked(shop).line_items[0]?.price_data.amount
        if (lastAsked(shop).metadata?.link === undefined) {
          // Without a signature it is the plain link, which is anybody's to write: nothing of the terms is left.
          unsigned++
          expect(`${changed} ${amount}`).toBe(`${changed} 2500`)
        } else {
          expect(meaningOf(changed)).toBe(meaningOf(link))
          expect(`${changed} ${amount}`).toBe(`${changed} 1900`)
          expect(lastAsked(shop).customer_email).toBe('jo@example.com')
        }
      }
    }
    expect(tried).toBeGreaterThan(link.length * 4)
    // The name of the signature's parameter, and the sign before it.
    expect(unsigned).toBeLessThan('&link_signature='.length * 8)
  }, 120_000)

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

  test('by adding any parameter that says something of the sale is refused', async () => {
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

  test('by a form that says something else than the link is refused', async () => {
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

  test('is told to HEAD as to GET', async () => {
    const shop = await startService({ env: SIGNING })
    expect((await shop.get(signed(), { method: 'HEAD' })).status).toBe(200)
    expect((await shop.get(`${signed()}&amount=1`, { method: 'HEAD' })).status).toBe(403)
    expect(shop.sandbox.requests).toEqual([])
  })
})

describe('what does no harm', () => {
  test('campaign parameters that mail tools append', async () => {
    const shop = await startService({ env: SIGNING })
    const tails = [
      'utm_source=mail&utm_medium=email&utm_campaign=spring',
      'ref=jo',
      'fbclid=IwAR0',
      'gclid=Cj0',
      'mc_eid=a1b2&mc_cid=c3',
      '_kx=abc',
      'amp;utm_source=x',
      'attribution/campaign=7',
    ]
    for (const tail of tails) {
      await click(shop, `${signed()}&${tail}`)
      expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(1900)
    }
    await click(shop, signed().replace('?', '?utm_source=first&'))
    expect(lastAsked(shop).metadata?.utm_source).toBe('first')
  })

  test('another order of the parameters, an alias, a + that was decoded once too often', async () => {
    const shop = await startService({ env: SIGNING })
    const link = signed({ amount: 1900 }, { parameters: { email: 'jo+tee@example.com' } })
    const [path = '', query = ''] = link.split('?')
    await click(shop, `${path}?${query.split('&').reverse().join('&')}`)
    await click(shop, link.replace('buyer/email', 'email'))
    await click(shop, link.replace('%2B', '+'))
    expect(sessionsOf(shop).map(({ asked }) => asked.customer_email)).toEqual(
      Array(3).fill('jo+tee@example.com'),
    )
  })
})

describe('rotation', () => {
  test('an older secret of the list still verifies, one that left it does not', async () => {
    const shop = await startService({ env: SIGNING })
    await click(shop, signed({ amount: 1900 }, { secrets: [OLD_SECRET] }))
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(1900)
    await expectForged(shop, signed({ amount: 1900 }, { secrets: ['left-the-list'] }))
    // The first one signs.
    expect(signed({}, { secrets: [SECRET, OLD_SECRET] })).toBe(signed({}, { secrets: [SECRET] }))
  })

  test('the uses of a link are counted over both signatures', async () => {
    const shop = await startService({ env: SIGNING })
    await click(shop, signed({ uses: 1 }, { secrets: [OLD_SECRET] }))
    await payNewest(shop)
    expect((await shop.get(signed({ uses: 1 }))).status).toBe(410)
  })
})

describe('a form', () => {
  test('posted to a signed link sells under its terms', async () => {
    const shop = await startService({ env: SIGNING })
    expect((await shop.get(signed(), { method: 'POST' })).status).toBe(303)
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(1900)
  })

  test('of the confirm page keeps the signature, the attribution and nothing else', async () => {
    const shop = await startService({ env: { ...SIGNING, LINK_PROTECTION: 'confirm' } })
    const parameters = { email: 'jo+tee@example.com', metadata: { note: 'a "b" & c' } }
    const link = signed({ amount: 1900 }, { parameters })
    const page = await (await shop.get(`${link}&utm_source=mail&gclid=x`)).text()
    expect(shop.sandbox.requests).toEqual([])
    expect(page).toContain('$38.00')
    const tags = readTags(page)
    const fields = tags.flatMap(({ name, attributes }): [string, string][] =>
      name === 'input' ? [[attributes.name ?? '', attributes.value ?? '']] : [],
    )
    expect(fields.map(([name]) => name)).not.toContain('gclid')
    const action = tags.find(({ name }) => name === 'form')?.attributes.action ?? ''
    const answer = await shop.get(action, { method: 'POST', body: new URLSearchParams(fields) })
    expect([answer.status, answer.headers.get('location')]).toEqual([
      303,
      sessionsOf(shop)[0]?.checkout_session_url,
    ])
    expect(lastAsked(shop)).toMatchObject({
      customer_email: 'jo+tee@example.com',
      metadata: { note: 'a "b" & c', utm_source: 'mail' },
      line_items: [{ price_data: { amount: 1900 } }],
    })
    const without = fields.filter(([name]) => name !== 'amount')
    expect((await shop.get(action, { method: 'POST', body: new URLSearchParams(without) })).status).toBe(403)
  })
})

/** The link with one byte replaced by others, taken out, and doubled. */
function* changesAt(link: string, at: number): Generator<string> {
  const before = link.slice(0, at)
  const now = link[at] ?? ''
  const after = link.slice(at + 1)
  // The opposite case, a digit, a letter, a sign that has a meaning in a query, and one that has none.
  const swapped = now === now.toUpperCase() ? now.toLowerCase() : now.toUpperCase()
  for (const other of new Set([swapped, now === '7' ? '8' : '7', now === 'x' ? 'y' : 'x', '&', '-'])) {
    if (other !== now) yield before + other + after
  }
  yield before + after
  yield before + now + now + after
}

/** What a link says, as far as its signature vouches for it, and the signature as it must be to the letter. */
function meaningOf(path: string): string {
  const [segment = '', ...query] = path.slice('/buy/'.length).split('?')
  const items = parseItems(decodeURIComponent(segment))
  const parameters = readParameters(query.join('?'))
  return JSON.stringify([parameters.signature, items, [...parameters.covered]])
}
