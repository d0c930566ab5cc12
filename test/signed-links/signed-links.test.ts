import { describe, expect, test } from 'vitest'
import { parseItems } from '../../src/links/cart.ts'
import { queryPairs, readParameters } from '../../src/links/parameters.ts'
import { linkId } from '../../src/links/signature.ts'
import { click, expectPage, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { readTags } from '../pages/markup.ts'
import { type Service, startService } from '../service.ts'
import { expectForged, OLD_SECRET, SECRET, SIGNING, signed, UUID } from './signed.ts'

const NOW = new Date('2026-11-22T10:00:00Z')

/** Pays the newest session and lets the buyer come back, so that the shop knows of it. */
async function payNewest(shop: Service): Promise<void> {
  const session = sessionsOf(shop).at(-1)
  await shop.sandbox.pay(session?.id ?? '')
  expect((await fetch(session?.success_url ?? '')).status).toBe(200)
}

describe('what a signed link can set', () => {
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

  test('an expiry: 410 from that second on, with a page and no session', async () => {
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
    for (let count = 0; count < 4; count++) await click(shop, link)
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
    expect(id).toBe(linkId({ items: parseItems(path), parameters: readParameters(queryPairs(query)) }))
    expect(id).toMatch(/^[A-Za-z0-9_-]{16}$/)
    await click(shop, '/buy/tee:2')
    expect(lastAsked(shop).metadata).not.toHaveProperty('link')
  })
})

describe('without a signature', () => {
  test('a price, a customer, a user, an expiry and a number of uses are ignored', async () => {
    const shop = await startService({ env: SIGNING, now: () => NOW })
    await click(shop, `/buy/tee:2?amount=1&customer_id=${UUID}&user_id=${UUID}&expires_at=1&uses=1`)
    const asked = lastAsked(shop)
    expect(asked.line_items[0]?.price_data.amount).toBe(2500)
    for (const field of ['customer_id', 'user_id']) expect(asked).not.toHaveProperty(field)
  })

  test('the same applies where no secret is set', async () => {
    const shop = await startService()
    await click(shop, `/buy/tee:2?amount=1&customer_id=${UUID}`)
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(2500)
    expect(lastAsked(shop)).not.toHaveProperty('customer_id')
  })

  test('a signature is refused where no secret is set', async () => {
    const shop = await startService()
    await expectForged(shop, signed())
  })
})

describe('changes that keep a signature valid', () => {
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

  test('another order of the parameters, an alias, a + that is not escaped', async () => {
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
  test('an older secret of the list is accepted, a removed one is not', async () => {
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
