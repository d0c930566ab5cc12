import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { REQUIRE_ALL } from '../reporter.ts'
import { type Service, startService } from '../service.ts'

/** What one IP address may open, and more than that. */
const PER_ADDRESS = 2_048
const TOO_MANY = PER_ADDRESS + 50
/** Only Linux answers on all of 127.0.0.0/8 without further configuration. */
const HAS_OTHER_LOOPBACK = process.platform === 'linux' || REQUIRE_ALL

async function open(shop: Service, times: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let n = 0; n < times; n++) {
    const socket = connect(Number(new URL(shop.url).port), '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
  }
  return sockets
}

function statusFrom(shop: Service, localAddress: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  request(`${shop.url}/buy/tee`, { family: 4, localAddress, agent: false }, (answer) => {
    answer.resume()
    resolve(answer.statusCode ?? 0)
  })
    .once('error', () => resolve(0))
    .end()
  return promise
}

test.skipIf(!HAS_OTHER_LOOPBACK)(
  'one IP address cannot take all connections: those beyond its half are closed, and others are served',
  { timeout: 60_000, meta: { switchedOnBy: 'Linux' } },
  async () => {
    const shop = await startService()
    const sockets = await open(shop, TOO_MANY)
    await expect.poll(() => sockets.filter(({ destroyed }) => destroyed).length).toBe(TOO_MANY - PER_ADDRESS)
    expect(await statusFrom(shop, '127.0.0.1')).toBe(0)
    expect(await statusFrom(shop, '127.0.0.2')).toBe(302)
    for (const socket of sockets.slice(0, 100)) socket.destroy()
    await expect.poll(() => statusFrom(shop, '127.0.0.1')).toBe(302)
  },
)

test('a trusted proxy may open more connections than one client', { timeout: 60_000 }, async () => {
  const shop = await startService({ env: { TRUST_PROXY: '127.0.0.1/32' } })
  const sockets = await open(shop, TOO_MANY)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([])
})

test('an idle connection is kept longer than the 120 s of common proxies', async () => {
  const shop = await startService()
  for (const path of ['/buy/tee', '/healthz', '/nowhere'])
    expect((await shop.get(path)).headers.get('keep-alive')).toBe('timeout=130')
})
