import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { buildApp } from '../../src/app.ts'
import { backupSqlite } from '../../src/store/backup.ts'
import { calls, visit } from '../double-clicks/visit.ts'
import { IDLE_JOBS, payQuietly, rows } from '../orders/sale.ts'
import { PRODUCTS, type Service, type ServiceOptions, STORE, startService } from '../service.ts'
import { click, EVERY_TIME, rowsOf, sessionsOf } from './clicks.ts'

const [TEE, ...OTHERS] = PRODUCTS
const warmTee = (more: object = {}) => [{ ...TEE, warm: 2, ...more }, ...OTHERS]
const MINUTE_MS = 60_000

/** A shop whose maker runs only when a test calls it. */
async function startWarm(options: ServiceOptions = {}): Promise<Service> {
  const pace = { ...IDLE_JOBS, warmEveryMs: 3_600_000 }
  return startService({ products: warmTee(), ...options, pace })
}

const make = (shop: Pick<Service, 'services'>) => shop.services.warm.make(new AbortController().signal)
const stock = (shop: Service) => rows(shop, 'warm_sessions')
const sold = (shop: Service) => rowsOf(shop).filter(({ state }) => state === 'open')

async function clickTimes(shop: Service, times: number, path = '/buy/tee') {
  return Promise.all(Array.from({ length: times }, () => visit(shop, path)))
}

async function changeCatalog(shop: Service, products: unknown[]): Promise<void> {
  await writeFile(shop.catalogPath, JSON.stringify({ products }))
  await shop.services.catalog.reload()
}

describe('a session that was made ahead', () => {
  test('is no checkout before a click gets it without a call to Dots', async () => {
    const shop = await startWarm()
    await make(shop)
    expect(stock(shop)).toHaveLength(1)
    expect(rowsOf(shop)).toEqual([])
    expect(sessionsOf(shop)[0]?.metadata).toMatchObject({ warm: '1', items: 'tee:1', color: 'black' })
    shop.sandbox.clear()

    const { status, to } = await visit(shop, '/buy/tee?utm_source=mail')
    expect(status).toBe(302)
    expect(shop.sandbox.requests).toEqual([])
    const [session] = sessionsOf(shop)
    expect(to).toBe(session?.checkout_session_url)
    expect(stock(shop)).toEqual([])
    const [row, ...more] = rowsOf(shop)
    expect(more).toEqual([])
    expect(row).toMatchObject({ id: session?.metadata?.checkout_id, state: 'open', session_id: session?.id })
    expect(JSON.parse(String(row?.metadata))).toEqual({ color: 'black', utm_source: 'mail' })
    expect(shop.log.at(-1)).toMatchObject({ checkout: row?.id, warm: true })
  })

  test('is paid like any other', async () => {
    const shop = await startWarm()
    await make(shop)
    const { session, checkoutId } = await click(shop)
    await payQuietly(shop, session)
    const page = await shop.get(`/success?checkout=${checkoutId}`)
    expect(await page.text()).toContain('Thank you')
    expect(rowsOf(shop)).toMatchObject([{ state: 'complete', amount_paid: 2500 }])
  })

  test('goes to one buyer only, however many click at once', async () => {
    const shop = await startWarm({ products: warmTee({ warm: 20 }) })
    await clickTimes(shop, 200)
    await make(shop)
    expect(stock(shop)).toHaveLength(20)
    shop.sandbox.clear()
    const visits = await clickTimes(shop, 60)
    expect(new Set(visits.map(({ to }) => to)).size).toBe(60)
    expect(calls(shop, 'create')).toBe(40)
    expect(sold(shop)).toHaveLength(260)
  })

  test('is not given to a link that says more than the product', async () => {
    const shop = await startWarm()
    await make(shop)
    const paths = ['?quantity=2', '?email=ann@shop.example', '?client_reference_id=r1', '?metadata_a=b']
    for (const path of [...paths.map((query) => `/buy/tee${query}`), '/buy/tee:2', '/buy/tee:1,mug:2']) {
      expect([path, (await visit(shop, path)).status]).toEqual([path, path.includes(':') ? 303 : 302])
    }
    expect(stock(shop)).toHaveLength(1)
    expect((await visit(shop, '/buy/tee:1')).status).toBe(303)
    expect(stock(shop)).toEqual([])
  })

  test('is of the least quantity', async () => {
    const shop = await startWarm({ products: [{ ...OTHERS[0], warm: 1 }] })
    await make(shop)
    expect(sessionsOf(shop)[0]?.asked.line_items[0]?.quantity).toBe(2)
    await visit(shop, '/buy/mug')
    expect(rowsOf(shop)).toMatchObject([{ amount_total: 2400 }])
    expect(stock(shop)).toEqual([])
  })

  test('is not used up by programs, prefetches and HEAD', async () => {
    const shop = await startWarm()
    await make(shop)
    await visit(shop, '/buy/tee', '', { headers: { 'user-agent': 'facebookexternalhit/1.1' } })
    await visit(shop, '/buy/tee', '', { headers: { 'sec-purpose': 'prefetch' } })
    await visit(shop, '/buy/tee', '', { headers: { 'sec-fetch-dest': 'image' } })
    await visit(shop, '/buy/tee', '', { method: 'HEAD' })
    expect(stock(shop)).toHaveLength(1)
  })

  test("comes after the browser's own live checkout", async () => {
    const shop = await startWarm({ products: warmTee({ warm: 5 }) })
    await make(shop)
    const first = await visit(shop)
    await make(shop)
    const [second, third] = await Promise.all([
      visit(shop, '/buy/tee', first.cookie),
      visit(shop, '/buy/tee', first.cookie),
    ])
    expect([second.to, third.to]).toEqual([first.to, first.to])
    expect(stock(shop)).toHaveLength(1)
  })

  test('is handed out with at least half of its life left, and forgotten when it has expired', async () => {
    let at = Date.now()
    const shop = await startWarm({
      now: () => new Date(at),
      clock: () => at,
      products: warmTee({ expires_in: 3600 }),
    })
    await make(shop)
    at += 31 * MINUTE_MS
    const { to } = await visit(shop)
    expect(to).not.toBe(sessionsOf(shop)[0]?.checkout_session_url)
    await make(shop)
    expect(stock(shop)).toHaveLength(2)
    at += 29 * MINUTE_MS
    await make(shop)
    expect(stock(shop)).toHaveLength(1)
  })

  test('sells while Dots is away', async () => {
    const shop = await startWarm()
    await clickTimes(shop, 20)
    await make(shop)
    shop.sandbox.failNext('reset', 100)
    const visits = [await visit(shop), await visit(shop), await visit(shop)]
    expect(visits.map(({ status }) => status)).toEqual([302, 302, 503])
  })

  test('is still there after a restart, and under a new address thrown away', async () => {
    const shop = await startWarm()
    await make(shop)
    await shop.app.close()
    const started = async (env: Record<string, string>) => {
      const logDestination = { write: () => {} }
      return buildApp({ ...shop.env, ...env }, { logDestination, storeOptions: STORE })
    }
    const same = await started({})
    await make(same)
    await same.app.close()
    expect(sessionsOf(shop)).toHaveLength(1)
    const moved = await started({ PUBLIC_URL: 'https://buy.shop.example' })
    await make(moved)
    await moved.app.close()
    expect(sessionsOf(shop)[1]?.asked.success_url).toContain('https://buy.shop.example/success')
    expect(stock(shop)).toMatchObject([{ session_id: sessionsOf(shop)[1]?.id }])
  })

  test('is not in a backup, whose owner may have handed it out', async () => {
    const shop = await startWarm()
    await make(shop)
    const copy = `${shop.folder}/copy.db`
    backupSqlite(shop.databasePath, copy)
    expect(rows({ databasePath: copy }, 'warm_sessions')).toEqual([])
    expect(stock(shop)).toHaveLength(1)
  })
})

describe('what a session made ahead sells', () => {
  const changes = {
    price: { amount: 2600 },
    name: { name: 'Tee' },
    description: { description: 'New.' },
    pictures: { images: ['https://shop.example/new.jpg'] },
    metadata: { metadata: { color: 'blue' } },
    life: { expires_in: 600 },
    'least quantity': { adjustable_quantity: { minimum: 3 } },
  }
  test.each(Object.entries(changes))('is thrown away with another %s', async (_what, change) => {
    const shop = await startWarm()
    await make(shop)
    await changeCatalog(shop, warmTee(change))
    const { to } = await visit(shop)
    expect(to).toBe(sessionsOf(shop)[1]?.checkout_session_url)
    await make(shop)
    expect(stock(shop)).toMatchObject([{ session_id: sessionsOf(shop)[2]?.id }])
  })

  test.each([{ active: false }, { ends_at: '2026-01-01T00:00:00Z' }])(
    'is thrown away off sale: %o',
    async (change) => {
      const shop = await startWarm()
      await make(shop)
      await changeCatalog(shop, warmTee(change))
      await make(shop)
      expect(stock(shop)).toEqual([])
    },
  )

  test('is thrown away when it is sold out', async () => {
    const shop = await startWarm({
      products: warmTee({ restrictions: { completed_sessions: { limit: 1 } } }),
    })
    await make(shop)
    const { session, checkoutId } = await click(shop)
    await make(shop)
    expect(stock(shop)).toHaveLength(1)
    await payQuietly(shop, session)
    await shop.get(`/success?checkout=${checkoutId}`)
    await make(shop)
    expect(stock(shop)).toEqual([])
  })
})

describe('how many are made', () => {
  test('as many as a minute took, at most what the product says', async () => {
    const shop = await startWarm({ products: warmTee({ warm: 5 }) })
    await clickTimes(shop, 25)
    await make(shop)
    expect(stock(shop)).toHaveLength(3)
    await clickTimes(shop, 100)
    await make(shop)
    expect(stock(shop)).toHaveLength(5)
    await changeCatalog(shop, warmTee({ warm: 2 }))
    await make(shop)
    expect(stock(shop)).toHaveLength(2)
  })

  test('of any product that was clicked in the last ten minutes, where there is a number for all', async () => {
    let at = Date.now()
    const shop = await startWarm({
      now: () => new Date(at),
      products: PRODUCTS,
      env: { WARM_CHECKOUTS: '5' },
    })
    await make(shop)
    expect(stock(shop)).toEqual([])
    await clickTimes(shop, 30)
    await clickTimes(shop, 10, '/buy/mug')
    await make(shop)
    expect(
      stock(shop)
        .map(({ sku }) => sku)
        .sort(),
    ).toEqual(['mug', 'tee', 'tee', 'tee'])
    at += 11 * MINUTE_MS
    shop.sandbox.clear()
    await clickTimes(shop, 4)
    await make(shop)
    // What is left of the time before is used, and one is made for the four clicks.
    expect(calls(shop, 'create')).toBe(1 + 1)
    expect(
      stock(shop)
        .map(({ sku }) => sku)
        .sort(),
    ).toEqual(['mug', 'tee'])
  })

  test('no more in all than the setting says, shared by demand, its own inside it', async () => {
    const mug = { ...OTHERS[0], warm: 10 }
    const shop = await startWarm({ products: [TEE, mug], env: { WARM_CHECKOUTS: '5' } })
    await clickTimes(shop, 90)
    await clickTimes(shop, 30, '/buy/mug')
    await make(shop)
    const skus = stock(shop).map(({ sku }) => sku)
    expect(skus).toHaveLength(5)
    expect(skus.filter((sku) => sku === 'mug').length).toBeGreaterThanOrEqual(1)
    expect(skus.filter((sku) => sku === 'tee').length).toBeGreaterThanOrEqual(3)
  })

  test('none by a second process while one is at it', async () => {
    const shop = await startWarm()
    await shop.services.store.leases.acquire('warm', 'other', new Date(Date.now() + 20_000).toISOString())
    await make(shop)
    expect(stock(shop)).toEqual([])
  })

  test('none while half of the places are taken', async () => {
    const shop = await startWarm({ env: { DOTS_MAX_IN_FLIGHT: '4' } })
    shop.sandbox.hold()
    const clicks = clickTimes(shop, 4)
    await expect.poll(() => shop.services.dots.calls.inFlight).toBe(4)
    await make(shop)
    shop.sandbox.release()
    await clicks
    expect(stock(shop)).toEqual([])
    await make(shop)
    expect(stock(shop)).toHaveLength(1)
  })
})

describe('products that Dots refuses', () => {
  const products = Array.from({ length: 30 }, (_, index) => ({
    sku: `p${index}`,
    name: `P ${index}`,
    amount: 1000,
    warm: 1,
  }))

  test('are tried again with pauses, and keep no other from being made', async () => {
    let clock = 0
    const shop = await startWarm({ products, clock: () => clock })
    shop.sandbox.failNext({ status: 400, body: { error: { code: 'invalid-input' } } }, 6, 'create')
    await make(shop)
    const tried = calls(shop, 'create')
    expect(tried).toBeLessThan(20)
    await make(shop)
    await make(shop)
    expect(stock(shop)).toHaveLength(24)
    const made = calls(shop, 'create')
    await make(shop)
    expect(calls(shop, 'create')).toBe(made)
    clock += MINUTE_MS
    await make(shop)
    expect(stock(shop)).toHaveLength(30)
    expect(shop.log.filter(({ event }) => event === 'warm.failed')).toHaveLength(6)
  })

  test('a Dots that is down is left alone, and its breaker is not opened', async () => {
    const shop = await startWarm({ products })
    shop.sandbox.failNext('reset', EVERY_TIME * 30, 'create')
    for (let run = 0; run < 5; run += 1) await make(shop)
    expect(shop.services.dots.calls.breakers.background).toBe('closed')
    expect(stock(shop)).toEqual([])
  })
})

describe('the backfill', () => {
  test('restores a lost session that was made ahead only if it is paid', async () => {
    const shop = await startWarm({ products: warmTee({ warm: 3 }) })
    await clickTimes(shop, 30)
    await make(shop)
    const warm = sessionsOf(shop).slice(30)
    expect(warm).toHaveLength(3)
    const [paid] = warm
    if (paid === undefined) throw new Error('there are none')
    await payQuietly(shop, paid)
    const since = new Date(Date.now() - 60 * MINUTE_MS).toISOString()
    const cursor = { since, startedAt: new Date().toISOString() }
    await shop.services.lease.acquire()
    await shop.services.backfill.run(cursor, new AbortController().signal)
    expect(rowsOf(shop)).toHaveLength(31)
    expect(rowsOf(shop).filter(({ state }) => state === 'complete')).toMatchObject([
      { id: paid.metadata?.checkout_id },
    ])
    // Nobody gets it any more.
    expect(stock(shop)).toHaveLength(2)
  })
})
