import { describe, expect, test } from 'vitest'
import { click, EVERY_TIME, expectPage, lastAsked, rowsOf, unescaped } from '../checkout/clicks.ts'
import { manualClock } from '../dots/manual-clock.ts'
import { visit } from '../double-clicks/visit.ts'
import { change, lockStore } from '../orders/sale.ts'
import { type Service, startService } from '../service.ts'
import { SIGNING, signed, UUID } from './signed.ts'

const LINK = signed(
  { amount: 1900, customerId: UUID, uses: 3 },
  {
    parameters: {
      email: 'jane@example.com',
      clientReferenceId: 'order-1042',
      metadata: { gift: 'for jo' },
      attribution: { utm_source: 'news' },
    },
  },
)
/** What may stand in no answer to somebody who only knows the id. */
const SECRETS = ['link_signature', /[?&]amount=/, 'jane', 'order-1042', 'for jo', UUID, /[?&]uses=/]

/** A browser that has clicked a link, and the checkout of it. */
async function clicked(link: string, products?: unknown[]) {
  const { clock, forward } = manualClock()
  const shop = await startService({ env: SIGNING, clock, products })
  const { cookie, to } = await visit(shop, link)
  const session = [...shop.sandbox.sessions.values()].find(({ checkout_session_url: url }) => url === to)
  if (session === undefined) throw new Error('the click led to no session')
  return { shop, forward, cookie, session, id: session.metadata?.checkout_id ?? '' }
}

/** The page of a checkout, as this browser reads it. */
async function page(shop: Service, path: string, headers: Record<string, string> = {}): Promise<string> {
  return unescaped((await expectPage(await shop.get(path, { headers }), 200)).text)
}

/** The link of "Start a new checkout". */
function linkBack(text: string): string | undefined {
  return /<a class="\w+" href="([^"]+)" rel="nofollow">Start a new checkout/.exec(text)?.[1]
}

const SITUATIONS: Record<string, (shop: Service, sessionId: string) => unknown> = {
  open: () => undefined,
  expired: (shop, id) => shop.sandbox.expire(id),
  paid: (shop, id) => shop.sandbox.pay(id),
  'not answered for by Dots': (shop) => shop.sandbox.failNext('reset', EVERY_TIME, 'read'),
  'without an answer of Dots, and past its end': (shop) => {
    shop.sandbox.failNext('reset', EVERY_TIME, 'read')
    change(shop, "update checkouts set expires_at = '2020-01-01T00:00:00.000Z'")
  },
}

describe('who only knows the id of a checkout', () => {
  test.each(Object.keys(SITUATIONS))('reads nothing of its signed link while it is %s', async (situation) => {
    const { shop, forward, cookie, session, id } = await clicked(LINK)
    // The order itself stays readable, as the buyer may come back in another browser.
    const stranger = await visit(shop, '/buy/mug')
    expect(stranger.cookie).not.toBe(cookie)
    await SITUATIONS[situation]?.(shop, session.id)
    for (const path of [`/success?checkout=${id}`, `/cancel?checkout=${id}`]) {
      for (const headers of [{}, { cookie: stranger.cookie }, { accept: 'application/json' }]) {
        forward(2_000)
        const answer = await shop.get(path, { headers })
        const text = unescaped(await answer.text())
        expect(answer.status).toBe(200)
        for (const secret of SECRETS) expect(text).not.toMatch(secret)
        expect(JSON.stringify([...answer.headers])).not.toMatch(/link_signature|jane/)
      }
    }
  })

  test('is led to the plain link when it has ended, and reads a masked email when it is paid', async () => {
    const { shop, session, id } = await clicked(LINK)
    shop.sandbox.expire(session.id)
    expect(linkBack(await page(shop, `/cancel?checkout=${id}`))).toBe('/buy/tee:2')
    const paid = await clicked(LINK)
    await paid.shop.sandbox.pay(paid.session.id)
    expect(await page(paid.shop, `/success?checkout=${paid.id}`)).toContain('j•••@example.com')
  })

  test('is led to the plain link also where the row names no browser', async () => {
    const { shop, cookie, session, id } = await clicked(LINK)
    change(shop, 'update checkouts set browser_id = null')
    shop.sandbox.expire(session.id)
    expect(linkBack(await page(shop, `/success?checkout=${id}`, { cookie }))).toBe('/buy/tee:2')
    expect(linkBack(await page(shop, `/success?checkout=${id}`))).toBe('/buy/tee:2')
  })
})

describe('the browser that made a checkout', () => {
  test('is led back to its signed link, which sells under the same terms', async () => {
    const { shop, cookie, session, id } = await clicked(`${LINK}&gclid=x`)
    shop.sandbox.expire(session.id)
    const back = linkBack(await page(shop, `/cancel?checkout=${id}`, { cookie })) ?? ''
    await click(shop, back, { headers: { cookie } })
    expect(lastAsked(shop)).toMatchObject({
      customer_email: 'jane@example.com',
      client_reference_id: 'order-1042',
      customer_id: UUID,
      line_items: [{ quantity: 2, price_data: { amount: 1900 } }],
      metadata: { gift: 'for jo', utm_source: 'news' },
    })
  })

  test.each([
    '/buy/tee?client_reference_id=order-1042&utm_source=news&email=jane%2Bx@example.com&metadata_gift=yes',
    '/buy/tee:3,mug:2?client_reference_id=order-1042&attribution/utm_source=news&prefilled_email=jane%2Bx@example.com&metadata[gift]=yes',
  ])('is led back to %s as it came', async (link) => {
    const { shop, cookie, session, id } = await clicked(link)
    const before = lastAsked(shop)
    shop.sandbox.expire(session.id)
    const text = await page(shop, `/success?checkout=${id}`, { cookie })
    await click(shop, linkBack(text) ?? '', { headers: { cookie } })
    const { customer_email, client_reference_id, line_items } = before
    expect(lastAsked(shop)).toMatchObject({
      customer_email,
      client_reference_id,
      line_items,
      metadata: { gift: 'yes', utm_source: 'news' },
    })
  })

  test('is led back to the link of a form that has room in a URL, and else to the plain one', async () => {
    const shop = await startService()
    const note = (length: number) => 'ü'.repeat(length)
    for (const [length, link] of [
      [400, /^\/buy\/tee\?metadata_a=(?:%C3%BC){400}$/],
      [2_000, /^\/buy\/tee$/],
    ] as const) {
      const body = new URLSearchParams({ metadata_a: note(length) })
      expect((await shop.get('/buy/tee', { method: 'POST', body })).status).toBe(303)
      expect(rowsOf(shop).at(-1)?.link).toMatch(link)
    }
  })

  test('is led back to the link of a click that could not be stored', async () => {
    const { clock } = manualClock()
    const shop = await startService({ env: SIGNING, clock })
    const unlock = lockStore(shop)
    const { cookie } = await visit(shop, LINK)
    unlock()
    const [session] = shop.sandbox.sessions.values()
    shop.sandbox.expire(session?.id ?? '')
    const path = `/cancel?checkout=${session?.metadata?.checkout_id}`
    expect(linkBack(await page(shop, path, { cookie }))).toContain('link_signature')
    expect(linkBack(await page(shop, path))).toBe('/buy/tee:2')
  })
})

describe('the id of a checkout', () => {
  test.each([
    ['with a query glued to it', (id: string) => `${id}?session_id=cs_9`],
    ['with an escaped query glued to it', (id: string) => `${id}%3Fsession_id=cs_9&look=2`],
    ['with a full stop', (id: string) => `${id}.`],
    ['with a bracket and a blank', (id: string) => `${id})%20`],
    ['in capitals', (id: string) => id.toUpperCase()],
    ['given twice', (id: string) => `${id}&checkout=${id}`],
    ['given twice, once damaged', (id: string) => `${id}&checkout=${id.toUpperCase()}%3E`],
  ])('%s leads to the order', async (_how, damage) => {
    const { shop, forward, session, id } = await clicked('/buy/tee')
    await shop.sandbox.pay(session.id)
    for (const path of ['/success', '/cancel']) {
      forward(2_000)
      expect(await page(shop, `${path}?checkout=${damage(id)}`)).toContain(id)
    }
  })

  test('of two checkouts in one URL is none', async () => {
    const { shop, id } = await clicked('/buy/tee')
    const other = await click(shop)
    for (const more of [other.checkoutId, 'x', '']) {
      expect((await shop.get(`/success?checkout=${id}&checkout=${more}`)).status).toBe(404)
    }
  })
})
