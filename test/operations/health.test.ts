import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { type Service, startService } from '../service.ts'
import { deploy } from './server-process.ts'

/** The catalog's file is looked at once a second. */
const SEEN = { timeout: 6_000, interval: 50 }
const catalogOf = (...products: unknown[]) => JSON.stringify({ products })
const CAP = { sku: 'cap', name: 'Cap', amount: 700 }
const PIN = { sku: 'pin', name: 'Pin', amount: 100 }

async function readyz(shop: Pick<Service, 'get'>): Promise<{ status: number; body: unknown }> {
  const answer = await shop.get('/readyz')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return { status: answer.status, body: await answer.json() }
}

test('healthz says that the process lives, readyz names each part', async () => {
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
  expect(await readyz(shop)).toMatchObject({ body: { parts: { dots: { credentials: 'accepted' } } } })
})

test('a store that is gone makes the service unready and alive', async () => {
  const shop = await startService()
  await shop.app.store.close()
  expect(await readyz(shop)).toMatchObject({
    status: 503,
    body: { status: 'not-ready', parts: { store: { status: 'failed' } } },
  })
  expect((await shop.get('/healthz')).status).toBe(200)
})

test('a click is not lost with the store: the buyer is redirected, and the log has the facts', async () => {
  const shop = await startService()
  await shop.app.store.close()
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

test('a changed catalog sells without a restart, also where the file was replaced', async () => {
  const shop = await startService({ products: [CAP] })
  await writeFile(shop.catalogPath, catalogOf(CAP, PIN))
  await vi.waitFor(async () => expect((await shop.get('/buy/pin')).status).toBe(302), SEEN)
  const replacement = join(shop.folder, 'next.json')
  await writeFile(replacement, catalogOf({ ...PIN, amount: 900 }))
  await rename(replacement, shop.catalogPath)
  await vi.waitFor(async () => expect((await shop.get('/buy/cap')).status).toBe(404), SEEN)
  expect(await readyz(shop)).toMatchObject({ status: 200, body: { parts: { catalog: { products: 1 } } } })
})

test('a broken catalog is not taken: the last good one sells, and log and readyz say why', async () => {
  const shop = await startService({ products: [CAP] })
  await writeFile(shop.catalogPath, catalogOf(CAP, { ...PIN, amount: -1 }))
  const stale = {
    status: 200,
    body: { parts: { catalog: { status: 'stale', products: 1, problemCount: 1 } } },
  }
  await vi.waitFor(async () => expect(await readyz(shop)).toMatchObject(stale), SEEN)
  expect(JSON.stringify((await readyz(shop)).body)).toContain('/products/1/amount')
  expect((await shop.get('/buy/cap')).status).toBe(302)
  expect((await shop.get('/buy/pin')).status).toBe(404)
  const errors = shop.log.filter((line) => line.level === 50)
  expect(errors).toHaveLength(1)
  expect(JSON.stringify(errors)).toContain('/products/1/amount')
  await writeFile(shop.catalogPath, catalogOf(CAP, PIN))
  await vi.waitFor(async () => expect((await shop.get('/buy/pin')).status).toBe(302), SEEN)
  expect(await readyz(shop)).toMatchObject({ body: { parts: { catalog: { status: 'ok', products: 2 } } } })
})

test('SIGHUP reads the catalog again and ends nothing', async () => {
  const shop = await deploy([CAP])
  const server = await shop.start()
  await writeFile(shop.catalogPath, catalogOf(CAP, PIN))
  server.child.kill('SIGHUP')
  await vi.waitFor(async () => expect((await shop.get('/buy/pin')).status).toBe(302), SEEN)
  await writeFile(shop.catalogPath, '{')
  server.child.kill('SIGHUP')
  await vi.waitFor(() => expect(server.output()).toContain('the last good one stays in use'), SEEN)
  expect((await shop.get('/buy/pin')).status).toBe(302)
  expect(server.child.exitCode).toBe(null)
})
