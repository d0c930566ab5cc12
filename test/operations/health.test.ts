import { writeFile } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'
import { type Service, startService } from '../service.ts'
import { deploy } from './server-process.ts'

const RELOADED = { timeout: 6_000, interval: 50 }
const catalogOf = (...products: unknown[]) => JSON.stringify({ products })
const CAP = { sku: 'cap', name: 'Cap', amount: 700 }
const PIN = { sku: 'pin', name: 'Pin', amount: 100 }

async function readyz(shop: Pick<Service, 'get'>): Promise<{ status: number; body: unknown }> {
  const answer = await shop.get('/readyz')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return { status: answer.status, body: await answer.json() }
}

test('healthz says that the process answers, readyz names each part', async () => {
  const shop = await startService()
  const alive = await shop.get('/healthz')
  expect([alive.status, await alive.json()]).toEqual([200, { status: 'ok' }])
  expect(await readyz(shop)).toMatchObject({
    status: 200,
    body: {
      status: 'ready',
      parts: {
        service: { status: 'ok' },
        store: { status: 'ok' },
        catalog: { status: 'ok', products: 3, loadedAt: expect.any(String) },
        dots: { status: 'ok', credentials: 'unchecked' },
      },
    },
  })
  await shop.get('/buy/tee')
  const pausedSeconds = { click: 0, return: 0, background: 0 }
  const dots = { credentials: 'accepted', refused: [], pausedSeconds }
  expect(await readyz(shop)).toMatchObject({ body: { parts: { dots } } })
})

test('a wrong key is in the log seconds after the start, and the first click turns readyz to 503', async () => {
  const shop = await deploy([CAP])
  const server = await shop.start({ DOTS_API_KEY: 'another-key-0b9c' })
  const told = () => server.log().filter(({ level }) => level === 50)
  await vi.waitFor(() => expect(told()).toHaveLength(1), RELOADED)
  expect(told()).toMatchObject([
    { event: 'dots.first-call.failed', check: 'DOTS_CLIENT_ID and DOTS_API_KEY', dotsStatus: 401 },
  ])
  expect((await readyz(shop)).status).toBe(200)
  await shop.get('/buy/cap')
  expect(await readyz(shop)).toMatchObject({
    status: 503,
    body: { parts: { dots: { status: 'credentials-refused', refused: ['create'] } } },
  })
  expect(server.output()).not.toContain('another-key')
})

test('a DOTS_API_URL without /api is named in the log seconds after the start, and turns readyz to 503', async () => {
  const shop = await deploy([CAP])
  const server = await shop.start({ DOTS_API_URL: shop.sandbox.url.replace(/\/api$/, '') })
  const named = () => server.log().filter(({ level, check }) => level === 50 && check === 'DOTS_API_URL')
  await vi.waitFor(() => expect(named()).toMatchObject([{ event: 'dots.first-call.failed' }]), RELOADED)
  for (let n = 0; n < 2; n++) expect((await shop.get('/buy/cap')).status).toBe(503)
  expect(await readyz(shop)).toMatchObject({ status: 503 })
})

test('a store that is gone makes the service unready, and it still answers', async () => {
  const shop = await startService()
  await shop.services.store.close()
  expect(await readyz(shop)).toMatchObject({
    status: 503,
    body: { status: 'not-ready', parts: { store: { status: 'failed' } } },
  })
  expect((await shop.get('/healthz')).status).toBe(200)
})

test('a click is not lost with the store: the buyer is redirected, and the log has the details', async () => {
  const shop = await startService()
  await shop.services.store.close()
  const answer = await shop.get('/buy/tee?quantity=2&email=jane@example.com')
  const [session] = shop.sandbox.sessions.values()
  expect([answer.status, answer.headers.get('location')]).toEqual([302, session?.checkout_session_url])
  const lines = shop.log.filter((line) => line.level === 50)
  expect(lines).not.toEqual([])
  expect(lines.at(-1)).toMatchObject({
    checkout: session?.metadata?.checkout_id,
    session: session?.id,
    items: 'tee:2',
    amountTotal: 5000,
  })
  expect(shop.logText()).not.toContain('jane')
})

test('SIGHUP reads the catalog again: a good file sells, a broken one is shown by readyz and the last good one sells on', async () => {
  const shop = await deploy([CAP])
  const server = await shop.start()
  await writeFile(shop.catalogPath, catalogOf(CAP, PIN))
  server.child.kill('SIGHUP')
  await vi.waitFor(async () => expect((await shop.get('/buy/pin')).status).toBe(302), RELOADED)
  expect(await readyz(shop)).toMatchObject({ body: { parts: { catalog: { status: 'ok', products: 2 } } } })
  await writeFile(shop.catalogPath, catalogOf(CAP, { ...PIN, amount: -1 }))
  server.child.kill('SIGHUP')
  const stale = {
    status: 200,
    body: { parts: { catalog: { status: 'stale', products: 2, problemCount: 1 } } },
  }
  await vi.waitFor(async () => expect(await readyz(shop)).toMatchObject(stale), RELOADED)
  expect(JSON.stringify((await readyz(shop)).body)).toContain('/products/1/amount')
  expect(server.log().filter(({ level }) => level === 50)).toHaveLength(1)
  expect((await shop.get('/buy/pin')).status).toBe(302)
  expect(server.child.exitCode).toBe(null)
})
