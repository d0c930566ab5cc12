import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test, vi } from 'vitest'
import { buildLink } from '../../src/links/link-builder.ts'
import { EVERY_TIME, sessionsOf } from '../checkout/clicks.ts'
import { lockStore, startReplica } from '../orders/sale.ts'
import { type Service, startService } from '../service.ts'
import { calls, returning, visit } from './visit.ts'

const SECRET = 'secret-of-clicks'

/** Clicks on the mug that overlap: Dots answers the first one when all have arrived. */
async function clickAtOnce(
  shop: Service,
  instances: readonly Pick<Service, 'get' | 'services'>[],
  cookie: string,
  {
    init = () => ({}),
    prepare = () => undefined,
  }: { init?: () => RequestInit; prepare?: () => unknown } = {},
) {
  shop.sandbox.clear()
  shop.sandbox.hold()
  prepare()
  const spies = [...new Set(instances)].map(({ services }) => vi.spyOn(services.checkout, 'open'))
  const arrived = () => spies.reduce((sum, { mock }) => sum + mock.calls.length, 0)
  const clicks = instances.map((one) => visit(one, '/buy/mug', cookie, init()))
  await expect.poll(arrived).toBe(clicks.length)
  shop.sandbox.release()
  return Promise.all(clicks)
}

describe('a second click of one browser', () => {
  test('goes to the same session, and no call is made', async () => {
    const { shop, first } = await returning()
    const second = await visit(shop, '/buy/tee', first.cookie)
    expect(second).toEqual({ ...first, status: 302 })
    expect(sessionsOf(shop)).toHaveLength(1)
    expect(shop.sandbox.requests).toHaveLength(1)
  })

  test('through another form of the same link, and from a form, goes there too', async () => {
    const { shop, first } = await returning()
    for (const path of [
      '/buy/tee:1',
      '/buy/tee?quantity=1',
      '/buy/~dGVl',
      '/buy/tee?utm_source=again&gclid=x',
    ]) {
      expect((await visit(shop, path, first.cookie)).to).toBe(first.to)
    }
    const posted = await visit(shop, '/buy/tee', first.cookie, {
      method: 'POST',
      body: new URLSearchParams({ quantity: '1' }),
    })
    expect([posted.status, posted.to]).toEqual([303, first.to])
    expect(calls(shop, 'create')).toBe(1)
  })

  test('at the same moment makes one call', async () => {
    const { shop, first } = await returning()
    const [one, ...others] = await clickAtOnce(shop, [shop, shop, shop], first.cookie)
    for (const other of others) expect(other.to).toBe(one?.to)
    expect(calls(shop, 'create')).toBe(1)
  })

  test('on another replica goes there too', async () => {
    const { shop, first } = await returning()
    const replica = await startReplica(shop)
    expect((await visit(replica, '/buy/tee', first.cookie)).to).toBe(first.to)
  })

  test('on a form, pressed twice, makes one call', async () => {
    const { shop, first } = await returning()
    const init = () => ({ method: 'POST', body: new URLSearchParams({ quantity: '3' }) })
    const [one, two] = await clickAtOnce(shop, [shop, shop], first.cookie, { init })
    expect([one?.status, two?.status, two?.to]).toEqual([303, 303, one?.to])
    expect(calls(shop, 'create')).toBe(1)
  })

  test('fails as the first one fails, and a third click opens a checkout', async () => {
    const { shop, first } = await returning()
    const waiting = Array(20).fill(shop)
    const clicks = await clickAtOnce(shop, waiting, first.cookie, {
      prepare: () => shop.sandbox.failNext({ status: 400 }, EVERY_TIME, 'create'),
      init: () => ({ headers: { accept: 'application/json' } }),
    })
    expect(clicks.map(({ status }) => status)).toEqual(waiting.map(() => 503))
    const failed = shop.log.filter(({ status }) => status === 503)
    expect(failed.map(({ code }) => code)).toEqual(waiting.map(() => 'dots-request-refused'))
    shop.sandbox.clear()
    expect((await visit(shop, '/buy/mug', first.cookie)).status).toBe(302)
  })

  test('at the same moment asks the store nothing while it waits, even if it comes three hundred times', async () => {
    const { shop, first } = await returning()
    const { checkouts } = shop.services.store
    const findReusable = vi.spyOn(checkouts, 'findReusable')
    const find = vi.spyOn(checkouts, 'find')
    const clicks = await clickAtOnce(shop, Array(300).fill(shop), first.cookie)
    expect(new Set(clicks.map(({ to }) => to)).size).toBe(1)
    expect([calls(shop, 'create'), findReusable.mock.calls.length, find.mock.calls.length]).toEqual([1, 1, 0])
  })

  test('goes to the session of a first one that could not be stored', async () => {
    const { shop, first } = await returning()
    shop.sandbox.hold()
    const opening = visit(shop, '/buy/mug', first.cookie)
    await expect.poll(() => calls(shop, 'create')).toBe(2)
    const unlock = lockStore(shop)
    shop.sandbox.release()
    const one = await opening
    unlock()
    expect((await visit(shop, '/buy/mug', first.cookie)).to).toBe(one.to)
    expect(calls(shop, 'create')).toBe(2)
  })
})

describe('each its own session', () => {
  test('without the cookie', async () => {
    const { shop } = await returning()
    const second = await visit(shop)
    expect(second.to).not.toBe(sessionsOf(shop)[0]?.checkout_session_url)
    expect(sessionsOf(shop)).toHaveLength(2)
  })

  test('for two browsers, whatever they click and in which order', async () => {
    const shop = await startService()
    const jo = await visit(shop)
    const eve = await visit(shop)
    expect(jo.cookie).not.toBe(eve.cookie)
    expect((await visit(shop, '/buy/tee', jo.cookie)).to).toBe(jo.to)
    expect((await visit(shop, '/buy/tee', eve.cookie)).to).toBe(eve.to)
    expect(jo.to).not.toBe(eve.to)
    expect(sessionsOf(shop)).toHaveLength(2)
  })

  test('for a changed quantity, email, reference or note', async () => {
    const { shop, first } = await returning()
    const changes = [
      '?quantity=2',
      '?email=jo@example.com',
      '?email=eve@example.com',
      '?client_reference_id=r',
      '?metadata_note=x',
      ':2,mug:2',
    ]
    const urls = new Set([first.to])
    for (const change of changes) urls.add((await visit(shop, `/buy/tee${change}`, first.cookie)).to)
    // `tee:2,mug:2` is another cart, and each of the others is another purchase of the tee.
    expect(urls.size).toBe(changes.length + 1)
    expect((await visit(shop, '/buy/tee', first.cookie)).to).toBe(first.to)
  })

  test('for another signature', async () => {
    const { shop, first } = await returning({ env: { LINK_SIGNING_SECRET: SECRET } })
    const signed = (uses: number) => {
      const items = [{ sku: 'tee', quantity: 1 }]
      const link = buildLink({ publicUrl: new URL(shop.url), items, signing: { secrets: [SECRET], uses } })
      return link.slice(shop.url.length)
    }
    const one = await visit(shop, signed(1), first.cookie)
    const two = await visit(shop, signed(2), first.cookie)
    expect(new Set([first.to, one.to, two.to]).size).toBe(3)
    expect((await visit(shop, signed(1), first.cookie)).to).toBe(one.to)
  })

  test('for a changed price', async () => {
    const { shop, first } = await returning()
    const { writeFile } = await import('node:fs/promises')
    await writeFile(
      shop.catalogPath,
      JSON.stringify({ products: [{ sku: 'tee', name: 'Tee', amount: 2600 }] }),
    )
    await vi.waitUntil(() => shop.services.catalog.current.find('tee')?.amount === 2600, { timeout: 10_000 })
    expect((await visit(shop, '/buy/tee', first.cookie)).to).not.toBe(first.to)
  })

  test('for a cookie that was tampered with: a new buyer, who gets a new cookie', async () => {
    const { shop, first } = await returning()
    const value = first.cookie.split('=')[1] ?? ''
    for (const bad of [
      '',
      'x',
      `${value}x`,
      value.slice(1),
      `${value.slice(1)}!`,
      '../../etc',
      `${value.slice(1)}${value[0]}`,
    ]) {
      const other = await visit(shop, '/buy/tee', `buyer=${bad}`)
      expect(other.status).toBe(302)
      expect(other.to).not.toBe(first.to)
    }
  })
})

describe('a session older than five seconds', () => {
  const start = new Date('2026-11-22T10:00:00Z')

  async function later(change: (shop: Service, session: string) => unknown = () => undefined, seconds = 7) {
    let now = start
    const { shop, first, session } = await returning({ now: () => now })
    await change(shop, session)
    now = new Date(start.getTime() + seconds * 1000)
    shop.sandbox.requests.length = 0
    return { shop, first, second: await visit(shop, '/buy/tee', first.cookie) }
  }

  test('is checked at Dots, and used again where it is open', async () => {
    const { shop, first, second } = await later()
    expect(second.to).toBe(first.to)
    expect([calls(shop, 'read'), calls(shop, 'create')]).toEqual([1, 0])
  })

  test('that was paid is not used again', async () => {
    const { shop, first, second } = await later((shop, id) => shop.sandbox.pay(id))
    expect([second.status, calls(shop, 'read'), calls(shop, 'create')]).toEqual([302, 1, 1])
    expect(second.to).not.toBe(first.to)
    expect(second.to).toBe(sessionsOf(shop).at(-1)?.checkout_session_url)
  })

  test('that expired is not used again', async () => {
    const { shop, first, second } = await later((shop, id) => shop.sandbox.expire(id))
    expect([second.status, calls(shop, 'create')]).toEqual([302, 1])
    expect(second.to).not.toBe(first.to)
  })

  test('that was paid is replaced by one new session, not by one with each click', async () => {
    const { shop, first, second } = await later((shop, id) => shop.sandbox.pay(id))
    for (let click = 0; click < 3; click++) {
      expect((await visit(shop, '/buy/tee', first.cookie)).to).toBe(second.to)
    }
    expect(calls(shop, 'create')).toBe(1)
  })

  test('is used again where Dots cannot be reached', async () => {
    const { shop, first, second } = await later((shop) => shop.sandbox.failNext({ status: 500 }, EVERY_TIME))
    expect([second.status, second.to]).toEqual([302, first.to])
    expect(calls(shop, 'create')).toBe(0)
  })

  test('is used again, after a check, until 15 minutes after its click', async () => {
    const { shop, first, second } = await later(undefined, 15 * 60 - 1)
    expect(second.to).toBe(first.to)
    expect([calls(shop, 'read'), calls(shop, 'create')]).toEqual([1, 0])
  })

  test.each([
    ['15 minutes after its click', 15 * 60],
    ['past its end', 181 * 60],
    ['if it was made under a clock that was ten minutes ahead', -10 * 60],
  ])('is not used again %s', async (_when, seconds) => {
    const { shop, first, second } = await later(undefined, seconds)
    expect(second.to).not.toBe(first.to)
    expect([calls(shop, 'read'), calls(shop, 'create')]).toEqual([0, 1])
  })

  test('is checked if it was made under a clock that is a little ahead', async () => {
    const { shop, first, second } = await later(undefined, -10)
    expect(second.to).toBe(first.to)
    expect([calls(shop, 'read'), calls(shop, 'create')]).toEqual([1, 0])
  })
})

describe('a session with a short life', () => {
  const start = new Date('2026-11-22T10:00:00Z')
  const products = [{ sku: 'tee', name: 'Tee', amount: 2500, expires_in: 60 }]

  test('is reused in the first half of it', async () => {
    let now = start
    const { shop, first } = await returning({ products, now: () => now })
    now = new Date(start.getTime() + 20_000)
    expect((await visit(shop, '/buy/tee', first.cookie)).to).toBe(first.to)
    now = new Date(start.getTime() + 40_000)
    expect((await visit(shop, '/buy/tee', first.cookie)).to).not.toBe(first.to)
    expect(calls(shop, 'create')).toBe(2)
  })
})

describe('a session that was paid within its first seconds', () => {
  test('is not used again once the shop knows', async () => {
    const { shop, first, session } = await returning()
    await shop.sandbox.pay(session)
    await fetch(sessionsOf(shop)[0]?.success_url ?? '')
    expect((await visit(shop, '/buy/tee', first.cookie)).to).not.toBe(first.to)
  })
})

describe('a store that is locked', () => {
  test('costs no sale: the click still leads to a checkout', async () => {
    const { shop, first } = await returning()
    const lock = new DatabaseSync(shop.databasePath)
    lock.exec('begin immediate')
    try {
      const second = await visit(shop, '/buy/mug', first.cookie)
      expect([second.status, second.to]).toEqual([302, sessionsOf(shop).at(-1)?.checkout_session_url])
    } finally {
      lock.exec('rollback')
      lock.close()
    }
  })
})
