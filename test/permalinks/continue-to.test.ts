import { describe, expect, test } from 'vitest'
import { expectBuyHeaders, lastAsked, sessionsOf } from '../checkout/clicks.ts'
import { readTags, text } from '../pages/markup.ts'
import { type Service, startService } from '../service.ts'

/** Opens a link as one browser; gives the answer and the cookie that it set. */
async function open(shop: Service, path: string, cookie?: string) {
  const answer = await shop.get(path, cookie === undefined ? {} : { headers: { cookie } })
  return { answer, cookie: answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie ?? '' }
}

const save = (shop: Service, continueTo: string, items = 'tee:2', more = '') =>
  open(shop, `/buy/${items}?continue_to=${encodeURIComponent(continueTo)}${more}`)

async function pageFor(shop: Service, path: string, cookie: string): Promise<string> {
  const answer = await shop.get(path, { headers: { cookie } })
  expect(answer.status).toBe(200)
  return await answer.text()
}

/** Presses the one button of the saved cart, as a browser without JavaScript would. */
async function checkOut(shop: Service, page: string, cookie: string): Promise<Response> {
  const notice = /<section [^>]*"saved-cart">[\s\S]*?<\/section>/.exec(page)?.[0] ?? ''
  const tags = readTags(notice)
  const form = tags.find(({ name }) => name === 'form')?.attributes
  expect(form?.method).toBe('post')
  const fields = tags.flatMap(({ name, attributes }): [string, string][] =>
    name === 'input' ? [[attributes.name ?? '', attributes.value ?? '']] : [],
  )
  return shop.get(form?.action ?? '', {
    method: 'POST',
    headers: { cookie },
    body: new URLSearchParams(fields),
  })
}

describe('continue_to', () => {
  test('/buy without items leads to the shop window, or to a valid continue_to', async () => {
    const shop = await startService()
    for (const [path, to] of [
      ['/buy', '/'],
      ['/buy/', '/'],
      ['/buy?continue_to=/products/tee', '/products/tee'],
      ['/buy/?/continue_to=%2Fproducts%2Ftee', '/products/tee'],
      ['/buy?continue_to=https://evil.example', '/'],
    ]) {
      const answer = await shop.get(path ?? '')
      expect(`${path} ${answer.status} ${answer.headers.get('location')}`).toBe(`${path} 303 ${to}`)
      expectBuyHeaders(answer)
    }
    expect(shop.sandbox.requests).toEqual([])
  })

  test('with items and a valid continue_to the buyer goes to the canonical path and no session is made yet', async () => {
    const shop = await startService()
    const { answer } = await save(shop, '/a/../products/Größe?x=1#part')
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/products/Gr%C3%B6%C3%9Fe?x=1'])
    expectBuyHeaders(answer)
    expect(shop.sandbox.requests).toEqual([])
  })

  test('anything but a path of our own origin counts as absent: the checkout opens', async () => {
    const shop = await startService()
    const bad = ['https://evil.example/', '/.//evil.example', '/buy/mug:2']
    for (const value of bad) {
      const { answer } = await save(shop, value)
      const newest = sessionsOf(shop).at(-1)?.checkout_session_url
      expect(`${value} ${answer.headers.get('location')}`).toBe(`${value} ${newest}`)
    }
    expect(sessionsOf(shop)).toHaveLength(bad.length)
  })

  test('two different values count as absent', async () => {
    const shop = await startService()
    await shop.get('/buy/tee:1?continue_to=/&continue_to=/products/tee')
    expect(sessionsOf(shop)).toHaveLength(1)
    await shop.get('/buy/tee:1?continue_to=/&/continue_to=/')
    expect(sessionsOf(shop)).toHaveLength(1)
  })

  test('the short form of this service saves a cart, too', async () => {
    const shop = await startService()
    const { answer, cookie } = await save(shop, '/', 'tee', '&quantity=3')
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    expect(text(await pageFor(shop, '/', cookie))).toContain('$75.00')
  })

  test('what cannot be sold is refused at once, and not saved', async () => {
    const shop = await startService()
    expect((await save(shop, '/', 'nothing:1')).answer.status).toBe(404)
    expect((await save(shop, '/', 'lamp:1')).answer.status).toBe(410)
    expect((await save(shop, '/', 'mug:99')).answer.status).toBe(400)
  })
})

describe('the saved cart', () => {
  test('is shown on the shop window and on product pages, with a button that checks it out', async () => {
    const shop = await startService()
    const { cookie } = await save(
      shop,
      '/products/mug',
      'tee:2,mug:3',
      '&buyer/email=jo%2Btee%40example.com&utm_source=mail&metadata_note=%22gift%22&client_reference_id=r-1',
    )
    for (const path of ['/', '/products/mug', '/products/tee']) {
      const page = await pageFor(shop, path, cookie)
      expect(text(page)).toContain('Your selection')
      expect(text(page)).toContain('$86.00')
    }
    expect(shop.sandbox.requests).toEqual([])
    const answer = await checkOut(shop, await pageFor(shop, '/', cookie), cookie)
    expect([answer.status, answer.headers.get('location')]).toEqual([
      303,
      sessionsOf(shop)[0]?.checkout_session_url,
    ])
    const asked = lastAsked(shop)
    expect(asked.line_items.map(({ quantity }) => quantity)).toEqual([2, 3])
    expect(asked.customer_email).toBe('jo+tee@example.com')
    expect(asked.client_reference_id).toBe('r-1')
    expect(asked.metadata).toMatchObject({ utm_source: 'mail', note: '"gift"' })
  })

  test('stays until it is paid, also while something else is bought', async () => {
    const shop = await startService()
    const { cookie } = await save(shop, '/')
    const isShown = async () => text(await pageFor(shop, '/', cookie)).includes('Your selection')
    const pay = async () => {
      const session = sessionsOf(shop).at(-1)
      await shop.sandbox.pay(session?.id ?? '')
      await shop.get(
        new URL(session?.success_url ?? '').pathname + new URL(session?.success_url ?? '').search,
      )
    }
    await shop.get('/buy/mug', { method: 'POST', headers: { cookie } })
    await pay()
    await shop.get('/buy/tee:1', { method: 'POST', headers: { cookie } })
    await pay()
    expect(await isShown()).toBe(true)
    await checkOut(shop, await pageFor(shop, '/', cookie), cookie)
    expect(await isShown()).toBe(true)
    await pay()
    expect(await isShown()).toBe(false)
  })

  test('of another browser stays when the same is paid', async () => {
    const shop = await startService()
    const { cookie } = await save(shop, '/')
    await shop.get('/buy/tee:2', { method: 'POST' })
    const [session] = sessionsOf(shop)
    await shop.sandbox.pay(session?.id ?? '')
    await fetch(session?.success_url ?? '')
    expect(text(await pageFor(shop, '/', cookie))).toContain('Your selection')
  })

  test('is removed by a button, which leads back to the page', async () => {
    const shop = await startService()
    const { cookie } = await save(shop, '/products/mug?utm_source=news')
    const page = await pageFor(shop, '/products/mug?utm_source=news', cookie)
    const form = /<form method="post" action="\/selection\/remove">[\s\S]*?<\/form>/.exec(page)?.[0] ?? ''
    const back = readTags(form).find(({ name }) => name === 'input')?.attributes.value ?? ''
    const remove = (continue_to: string, headers: Record<string, string>) =>
      shop.get('/selection/remove', { method: 'POST', headers, body: new URLSearchParams({ continue_to }) })
    const answer = await remove(back, { cookie })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/products/mug?utm_source=news'])
    expect(text(await pageFor(shop, '/', cookie))).not.toContain('Your selection')
    expect((await remove('https://evil.example/', {})).headers.get('location')).toBe('/')
    expect((await shop.get('/selection/remove')).status).toBe(405)
  })

  test('is the newest one of this browser', async () => {
    const shop = await startService()
    const { cookie } = await save(shop, '/')
    await open(shop, '/buy/mug:4?continue_to=/', cookie)
    const page = text(await pageFor(shop, '/', cookie))
    expect(page).toContain('$48.00')
    expect(page).not.toContain('$50.00')
  })

  test('is never shown to another browser', async () => {
    const shop = await startService()
    const one = await save(shop, '/')
    const two = await save(shop, '/', 'mug:4')
    expect(one.cookie).not.toBe(two.cookie)
    expect(text(await pageFor(shop, '/', two.cookie))).toContain('$48.00')
    expect(text(await pageFor(shop, '/', one.cookie))).toContain('$50.00')
    expect(text(await pageFor(shop, '/', ''))).not.toContain('Your selection')
    const { headers } = await shop.get('/', { headers: { cookie: one.cookie } })
    expect(headers.get('cache-control')).toContain('private')
    expect(headers.get('vary')).toMatch(/\bCookie\b/i)
  })

  test('is not shown after a day, and says so where it cannot be bought any more', async () => {
    let now = new Date('2026-11-22T10:00:00Z')
    const products = [
      { sku: 'tee', name: 'Tee', amount: 2500, ends_at: '2026-11-23T09:00:00Z' },
      { sku: 'mug', name: 'Mug', amount: 1200 },
    ]
    const shop = await startService({ products, now: () => now })
    const tee = await save(shop, '/')
    const mug = await save(shop, '/', 'mug:2')
    now = new Date('2026-11-23T09:30:00Z')
    const gone = await pageFor(shop, '/', tee.cookie)
    expect(text(gone)).toContain('What you have selected cannot be bought right now.')
    expect(gone).not.toContain('action="/buy/')
    expect(text(await pageFor(shop, '/', mug.cookie))).toContain('Your selection')
    now = new Date('2026-11-23T10:00:01Z')
    expect(text(await pageFor(shop, '/', mug.cookie))).not.toContain('Your selection')
  })

  test('keeps the price of a signed link', async () => {
    const shop = await startService({ env: { LINK_SIGNING_SECRET: 'secret-of-the-cart' } })
    const { buildLink } = await import('../../src/links/link-builder.ts')
    const link = buildLink({
      publicUrl: new URL(shop.url),
      items: [{ sku: 'tee', quantity: 2 }],
      parameters: { continueTo: '/' },
      signing: { secrets: ['secret-of-the-cart'], amount: 1900 },
    })
    const { answer, cookie } = await open(shop, link.slice(shop.url.length))
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    const page = await pageFor(shop, '/', cookie)
    expect(text(page)).toContain('$38.00')
    expect((await checkOut(shop, page, cookie)).status).toBe(303)
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(1900)
  })
})
