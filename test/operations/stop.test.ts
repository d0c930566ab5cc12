import { once } from 'node:events'
import { connect } from 'node:net'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { startReceiver, WEBHOOK_SECRET } from '../orders/receiver.ts'
import { type Deployment, deploy, runServer, type ServerProcess } from './server-process.ts'

/** Longer than the time between `/readyz` turning 503 and the end of accepting connections. */
const PAST_GRACE_MS = 1_400
/** What an orchestrator gives a process before it kills it. */
const KILL_MS = 10_000

interface HeldClick {
  shop: Deployment
  server: ServerProcess
  answer: Promise<Response>
}

/** A click that has reached Dots, whose answer waits. */
async function holdClick(): Promise<HeldClick> {
  const shop = await deploy()
  const server = await shop.start()
  shop.sandbox.hold()
  const answer = shop.get('/buy/tee')
  answer.catch(() => {})
  await vi.waitFor(() => expect(shop.sandbox.requests).toHaveLength(1))
  return { shop, server, answer }
}

function statesIn(databasePath: string): unknown[] {
  const database = new DatabaseSync(databasePath)
  try {
    expect(database.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
    return database
      .prepare('select state from checkouts')
      .all()
      .map(({ state }) => state)
  } finally {
    database.close()
  }
}

test('a click that is in flight at SIGTERM gets its redirect, while readyz is 503', async () => {
  const { shop, server, answer } = await holdClick()
  const start = performance.now()
  server.child.kill('SIGTERM')
  await vi.waitFor(async () => expect((await shop.get('/readyz')).status).toBe(503), { timeout: 900 })
  expect((await shop.get('/healthz')).status).toBe(200)
  await sleep(PAST_GRACE_MS)
  shop.sandbox.release()
  const redirect = await answer
  expect(redirect.status).toBe(302)
  expect(redirect.headers.get('connection')).toBe('close')
  expect(await server.ended).toEqual({ code: 0, signal: null })
  expect(performance.now() - start).toBeLessThan(KILL_MS)
  expect(statesIn(shop.databasePath)).toEqual(['open'])
  expect(server.log().at(-1)).toMatchObject({ event: 'service.stopped', drained: true })
})

test('a click before the server stops accepting connections is served, and an idle connection does not delay the stop', async () => {
  const shop = await deploy()
  const server = await shop.start()
  const socket = connect(Number(new URL(shop.url).port), '127.0.0.1')
  socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')
  const [first]: Buffer[] = await once(socket, 'data')
  expect(String(first)).toContain('200 OK')
  const closed = once(socket, 'close')
  const start = performance.now()
  server.child.kill('SIGTERM')
  await sleep(300)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  await closed
  expect((await server.ended).code).toBe(0)
  expect(performance.now() - start).toBeLessThan(4_000)
})

test('a receiver that never answers does not keep connections accepted beyond the grace', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 'silence'
  const shop = await deploy()
  const server = await shop.start({ ...receiver.env, DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET })
  await shop.get('/buy/tee')
  const [session] = [...shop.sandbox.sessions.values()]
  shop.sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  await shop.sandbox.pay(String(session?.id))
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1))
  server.child.kill('SIGTERM')
  await sleep(PAST_GRACE_MS)
  // The jobs are still waiting for the receiver.
  expect(server.child.exitCode).toBeNull()
  await expect(shop.get('/healthz')).rejects.toThrow()
  expect((await server.ended).code).toBe(0)
  expect(server.log().filter(({ level }) => Number(level) >= 40)).toEqual([])
  expect(statesIn(shop.databasePath)).toEqual(['complete'])
})

test('a Dots that never answers does not keep the process beyond ten seconds, and the click is answered', async () => {
  const shop = await deploy()
  const server = await shop.start()
  shop.sandbox.failNext('hang', 9, 'create')
  const answer = shop.get('/buy/tee')
  await vi.waitFor(() => expect(shop.sandbox.requests.length).toBeGreaterThan(0))
  const start = performance.now()
  server.child.kill('SIGTERM')
  expect((await answer).status).toBe(503)
  expect((await server.ended).code).toBe(0)
  expect(performance.now() - start).toBeLessThan(KILL_MS)
  expect(statesIn(shop.databasePath)).toEqual(['unknown'])
})

test('a second SIGINT within half a second is the same request to stop, and a click in flight gets its redirect', async () => {
  const { shop, server, answer } = await holdClick()
  server.child.kill('SIGINT')
  await sleep(150)
  server.child.kill('SIGINT')
  await sleep(300)
  shop.sandbox.release()
  expect((await answer).status).toBe(302)
  expect(await server.ended).toEqual({ code: 0, signal: null })
})

test('a later second signal ends the process at once', async () => {
  const { server } = await holdClick()
  server.child.kill('SIGTERM')
  await sleep(800)
  const start = performance.now()
  server.child.kill('SIGTERM')
  expect((await server.ended).code).toBe(1)
  expect(performance.now() - start).toBeLessThan(500)
})

test('after a process is killed during a click, there is no row, and the next process opens the store', async () => {
  const { shop, server, answer } = await holdClick()
  server.child.kill('SIGKILL')
  await expect(answer).rejects.toThrow()
  expect(await server.ended).toEqual({ code: null, signal: 'SIGKILL' })
  expect(statesIn(shop.databasePath)).toEqual([])
  shop.sandbox.release()
  await shop.start()
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(statesIn(shop.databasePath).toSorted()).toContain('open')
})

test('what cannot be closed is logged with its code, and the exit code is 1', async () => {
  const shop = await deploy()
  const server = runServer(shop.env, shop.folder, resolve(import.meta.dirname, 'unclosable-server.ts'))
  await vi.waitUntil(() => server.output().includes('open'), { timeout: 15_000, interval: 20 })
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 1, signal: null })
  expect(server.log().at(-1)).toMatchObject({
    level: 50,
    event: 'service.stop-failed',
    drained: false,
    code: 'EBUSY',
  })
  expect(server.output()).not.toContain('"stack"')
})
