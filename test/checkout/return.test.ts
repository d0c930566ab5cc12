import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { PRODUCTS, type Service, type ServiceOptions, startService } from '../service.ts'
import { checkoutOf, click, EVERY_TIME, expectBuyHeaders, expectPage, rowsOf, unescaped } from './clicks.ts'

const PAID = 'Your payment is complete'
const OPEN = 'Your payment is not finished yet'
const CONFIRMING = 'We are confirming your payment'
const NOT_CHARGED = 'You have not been charged'

/** For how long the last answer of Dots is used for others who ask. */
const ANSWER_MS = 2_000
let skippedMs = 0

/** A shop whose last answer of Dots is too old at each visit. */
const startShop = (options: ServiceOptions = {}) =>
  startService({ clock: () => performance.now() + skippedMs, ...options })

/** A return page, as the buyer reads it. */
async function visit(shop: Service, path: string, headers: Record<string, string> = {}): Promise<string> {
  skippedMs += ANSWER_MS
  const { text } = await expectPage(await shop.get(path, { headers }), 200)
  return unescaped(text)
}

function refreshOf(page: string): { seconds: number; url: string } | undefined {
  const found = /<meta http-equiv="refresh" content="(\d+); url=([^"]+)">/.exec(page)
  return found?.[1] === undefined || found[2] === undefined
    ? undefined
    : { seconds: Number(found[1]), url: found[2] }
}

test('a paid session is shown as paid, and settled in the store', async () => {
  const now = new Date('2026-11-22T10:00:00Z')
  const shop = await startShop({ now: () => now })
  const { checkoutId, session } = await click(shop, '/buy/tee?quantity=2')
  await shop.sandbox.pay(session.id, { email: 'jane@example.com' })
  const page = await visit(shop, `/success?checkout=${checkoutId}`)
  expect(page).toContain(PAID)
  expect(page).toContain('Black T-shirt, M')
  expect(page).toContain('2 × $25.00')
  expect(page).toContain('$50.00')
  expect(page).toContain(checkoutId)
  expect(page).not.toContain('jane')
  expect(await checkoutOf(shop, checkoutId)).toMatchObject({
    state: 'complete',
    completedAt: now.toISOString(),
    paymentIntentId: session.payment_intent_id,
    customerEmail: 'jane@example.com',
    amountPaid: 5000,
  })
})

test("a buyer's email from the link is never in full on a page", async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop, '/buy/tee?email=jane@example.com')
  const paths = [`/success?checkout=${checkoutId}`, `/cancel?checkout=${checkoutId}`]
  for (const path of paths) expect(await visit(shop, path)).not.toContain('jane')
  await shop.sandbox.pay(session.id)
  for (const path of paths) expect(await visit(shop, path)).not.toContain('jane')
})

test('what was sold is shown as it was sold, whatever the catalog says today', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop, '/buy/tee:1,mug:2')
  await shop.sandbox.pay(session.id)
  const changed = { products: [{ sku: 'tee', name: 'Dearer shirt', amount: 9900 }] }
  await writeFile(shop.catalogPath, JSON.stringify(changed))
  expect(await shop.services.catalog.reload()).toBe('reloaded')
  const page = await visit(shop, `/success?checkout=${checkoutId}`)
  expect(page).toContain('Black T-shirt, M')
  expect(page).toContain('Mug')
  expect(page).toContain('$49.00')
  expect(page).not.toContain('Dearer shirt')
})

test("money is written as the buyer's language writes it", async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  await shop.sandbox.pay(session.id)
  const path = `/success?checkout=${checkoutId}`
  expect(await visit(shop, path, { 'accept-language': 'de-DE,de;q=0.9' })).toContain('25,00\u00a0$')
  expect(await visit(shop, path, { 'accept-language': 'x'.repeat(2000) })).toContain('$25.00')
})

test("a paid page has the merchant's own message and email", async () => {
  const [tee = {}] = PRODUCTS
  const thanks = { custom_message: '<b>See you</b>', redirect_url: 'https://shop.example/thanks' }
  const shop = await startShop({ products: [{ ...tee, after_completion: thanks }] })
  const { checkoutId, session } = await click(shop)
  expect(await visit(shop, `/success?checkout=${checkoutId}`)).not.toContain('See you')
  await shop.sandbox.pay(session.id)
  skippedMs += ANSWER_MS
  const answer = await shop.get(`/success?checkout=${checkoutId}`)
  const { text } = await expectPage(answer, 200)
  expect(text).not.toContain('<b>See you')
  const page = unescaped(text)
  expect(page).toContain('<b>See you</b>')
  expect(refreshOf(page)?.url).toBe('https://shop.example/thanks')
  expect(page).toContain('<a class="button" href="https://shop.example/thanks"')
})

test('an open session says that no payment was seen, and leads back to the same checkout', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  const page = await visit(shop, `/success?checkout=${checkoutId}`)
  expect(page).toContain(OPEN)
  expect(page).toContain(`href="${session.checkout_session_url}"`)
  expect(page).not.toContain(PAID)
  expect(await checkoutOf(shop, checkoutId)).toMatchObject({ state: 'open', completedAt: null })
})

test('the page of an open session reloads by itself, less and less often, and finds the payment', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  let path = `/success?checkout=${checkoutId}`
  const waits: number[] = []
  for (let look = 0; look < 12; look++) {
    const refresh = refreshOf(await visit(shop, path))
    if (refresh === undefined) throw new Error('the page does not look again')
    waits.push(refresh.seconds)
    path = refresh.url
    expect(path).toMatch(new RegExp(`^/success\\?checkout=${checkoutId}&look=\\d+$`))
  }
  expect(waits[0]).toBe(3)
  expect(waits).toEqual(waits.toSorted((a, b) => a - b))
  expect(waits.at(-1)).toBe(60)
  await shop.sandbox.pay(session.id)
  const paid = await visit(shop, path)
  expect(paid).toContain(PAID)
  expect(refreshOf(paid)).toBe(undefined)
})

test('parameters about a payment in the URL have no effect', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  const page = await visit(
    shop,
    `/success?checkout=${checkoutId}&status=complete&paid=true&payment_status=paid&session_id=${session.id}&redirect_status=succeeded`,
  )
  expect(page).toContain(OPEN)
  expect(page).not.toContain(PAID)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('open')
})

test('an expired session leads to a new one', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop, '/buy/tee:2,mug:3')
  shop.sandbox.expire(session.id)
  for (const path of ['/success', '/cancel']) {
    const page = await visit(shop, `${path}?checkout=${checkoutId}`)
    expect(page).not.toContain(PAID)
    expect(page).toContain('href="/buy/tee:2,mug:3"')
  }
  expect((await checkoutOf(shop, checkoutId)).state).toBe('expired')
})

test('a session that is paid after all is settled, though it was found expired before', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  shop.sandbox.failNext({ alter: (body) => ({ ...body, status: 'expired' }) }, 1, 'read')
  await visit(shop, `/success?checkout=${checkoutId}`)
  await shop.sandbox.pay(session.id)
  expect(await visit(shop, `/success?checkout=${checkoutId}`)).toContain(PAID)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test('complete is final, even where Dots says open, expired or nothing later', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  await shop.sandbox.pay(session.id)
  await visit(shop, `/success?checkout=${checkoutId}`)
  const settled = await checkoutOf(shop, checkoutId)
  for (const fault of [
    { alter: (body: object) => ({ ...body, status: 'open' }) },
    { alter: (body: object) => ({ ...body, status: 'expired' }) },
    { status: 500 },
  ]) {
    shop.sandbox.clear()
    shop.sandbox.failNext(fault, EVERY_TIME, 'read')
    expect(await visit(shop, `/success?checkout=${checkoutId}`)).toContain(PAID)
    expect(await visit(shop, `/cancel?checkout=${checkoutId}`)).toContain('already paid')
  }
  expect(await checkoutOf(shop, checkoutId)).toEqual(settled)
})

test('two visits at once settle once', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  await shop.sandbox.pay(session.id)
  const pages = await Promise.all(
    Array.from({ length: 5 }, () => visit(shop, `/success?checkout=${checkoutId}`)),
  )
  for (const page of pages) expect(page).toContain(PAID)
  expect(rowsOf(shop)).toHaveLength(1)
})

test.each([
  ['an error', { status: 500, body: { message: 'upstream-words' } }],
  ['a refusal of the key', { status: 401, body: { message: 'upstream-words' } }],
  ['an undocumented status', { alter: (body: object) => ({ ...body, status: 'paid' }) }],
  ['nonsense', { status: 200, body: 'upstream-words' }],
  ['a broken connection', 'reset' as const],
])('while Dots answers with %s, nothing is claimed', async (_what, fault) => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  await shop.sandbox.pay(session.id)
  shop.sandbox.failNext(fault, EVERY_TIME, 'read')
  const page = await visit(shop, `/success?checkout=${checkoutId}`)
  expect(page).toContain(CONFIRMING)
  for (const claim of [PAID, NOT_CHARGED, 'upstream-words']) expect(page).not.toContain(claim)
  expect(refreshOf(page)).toEqual({ seconds: 3, url: `/success?checkout=${checkoutId}&look=1` })
  const cancelled = await visit(shop, `/cancel?checkout=${checkoutId}`)
  for (const claim of [PAID, NOT_CHARGED, 'upstream-words']) expect(cancelled).not.toContain(claim)
  expect(cancelled).toContain(`href="${session.checkout_session_url}"`)
  shop.sandbox.clear()
  expect(await visit(shop, `/success?checkout=${checkoutId}`)).toContain(PAID)
})

test('a silent Dots keeps a buyer waiting for a few seconds only', async () => {
  const shop = await startShop()
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext('hang', EVERY_TIME, 'read')
  const start = performance.now()
  expect(await visit(shop, `/success?checkout=${checkoutId}`)).toContain(CONFIRMING)
  // The question has 3 s; the rest is for a slow machine.
  expect(performance.now() - start).toBeLessThan(4_500)
})

const malformed = [
  '',
  'x',
  '0',
  '../../etc/passwd',
  '%00',
  '%0d%0aset-cookie:a=b',
  "' or 1=1 --",
  '{"$ne":null}',
  '1B4E28BA-2FA1-41D2-883F-0016D3CCA427',
  '1b4e28ba-2fa1-11d2-883f-0016d3cca427',
  '1b4e28ba2fa141d2883f0016d3cca427',
  '1b4e28ba-2fa1-41d2-883f-0016d3cca427%0A',
  '1b4e28ba-2fa1-41d2-883f-0016d3cca427&checkout=1b4e28ba-2fa1-41d2-883f-0016d3cca428',
  'x'.repeat(5_000),
]

test.each(['/success', '/cancel'])('%s answers unknown and malformed ids alike', async (path) => {
  const shop = await startShop()
  const unknown = await expectPage(
    await shop.get(`${path}?checkout=1b4e28ba-2fa1-41d2-883f-0016d3cca427`),
    404,
  )
  const plain = (page: { text: string; reference: string }) => page.text.replace(page.reference, '')
  for (const id of malformed) {
    const answer = await shop.get(`${path}?checkout=${id}`)
    expect(plain(await expectPage(answer, 404))).toBe(plain(unknown))
  }
  for (const query of ['', '?', '?checkout', '?checkout[]=x', '?id=x'])
    expect((await shop.get(path + query)).status).toBe(404)
  expect(shop.sandbox.requests).toEqual([])
})

test('a cancelled open session can be continued, and the page says that nothing was charged', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  const page = await visit(shop, `/cancel?checkout=${checkoutId}`)
  expect(page).toContain(NOT_CHARGED)
  expect(page).toContain(`href="${session.checkout_session_url}"`)
  expect(shop.sandbox.sessions.size).toBe(1)
})

test('the cancel page of a paid order says that it is paid', async () => {
  const shop = await startShop()
  const { checkoutId, session } = await click(shop)
  await shop.sandbox.pay(session.id)
  const page = await visit(shop, `/cancel?checkout=${checkoutId}`)
  expect(page).toContain('already paid')
  expect(page).not.toContain(NOT_CHARGED)
  expect(page).toContain(`href="/success?checkout=${checkoutId}"`)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test('a URL that Dots returns later is checked before a buyer is sent there', async () => {
  const shop = await startShop()
  const { checkoutId } = await click(shop)
  shop.sandbox.failNext(
    { alter: (body) => ({ ...body, checkout_session_url: 'javascript:alert(1)' }) },
    EVERY_TIME,
    'read',
  )
  for (const path of ['/success', '/cancel'])
    expect(await visit(shop, `${path}?checkout=${checkoutId}`)).not.toContain('javascript:')
})

test('for a click whose session is not known, no page says that it is paid or not charged', async () => {
  const shop = await startShop()
  shop.sandbox.failNext('done-then-reset', EVERY_TIME, 'create')
  await shop.get('/buy/tee')
  await expect.poll(() => rowsOf(shop).length).toBe(1)
  const id = String(rowsOf(shop)[0]?.id)
  expect(await visit(shop, `/success?checkout=${id}`)).toContain(CONFIRMING)
  expect(await visit(shop, `/cancel?checkout=${id}`)).not.toContain(NOT_CHARGED)
})

test('a form cannot be posted to the return pages', async () => {
  const shop = await startShop()
  const answer = await shop.get('/success', { method: 'POST', body: new URLSearchParams({ checkout: 'x' }) })
  expect(answer.status).toBe(405)
  expectBuyHeaders(answer)
})
