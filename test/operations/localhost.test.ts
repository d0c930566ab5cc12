import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { sendBytes } from '../hostile/raw.ts'
import { REQUIRE_ALL } from '../reporter.ts'
import { type Deployment, deploy, type ServerProcess } from './server-process.ts'

/** In a mount namespace of its own a process can have its own /etc/hosts. */
const CAN_RUN =
  Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1')) &&
  spawnSync('unshare', ['--mount', 'true']).status === 0
const PER_ADDRESS = 2_048

interface BothAddresses {
  shop: Deployment
  server: ServerProcess
  addresses: readonly string[]
}

/** A process for which `localhost` has two addresses. */
async function startOnLocalhost(env: Record<string, string> = {}): Promise<BothAddresses> {
  const shop = await deploy()
  const hosts = join(shop.folder, 'hosts')
  await writeFile(hosts, '127.0.0.1 localhost\n::1 localhost\n')
  const within = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]
  const server = await shop.start({ ...env, HOST: 'localhost', PATH: process.env.PATH ?? '' }, within)
  const { port } = new URL(shop.url)
  const addresses = [`http://127.0.0.1:${port}`, `http://[::1]:${port}`]
  for (const url of addresses) expect((await fetch(`${url}/healthz`)).status).toBe(200)
  return { shop, server, addresses }
}

describe.skipIf(!CAN_RUN && !REQUIRE_ALL)(
  'HOST=localhost with two addresses',
  { meta: { switchedOnBy: 'Linux with IPv6, as root (unshare --mount)' } },
  () => {
    test('malformed requests and unknown expectations get our answers on both', async () => {
      const { addresses } = await startOnLocalhost()
      for (const url of addresses) {
        const requests: [status: number, bytes: string][] = [
          [400, 'GET /buy/tee HTTP/9.9\r\n\r\n'],
          [431, `GET /buy/tee HTTP/1.1\r\nhost: x\r\ncookie: ${'x'.repeat(20_000)}\r\n\r\n`],
          [404, 'GET /buy/nope HTTP/1.1\r\nhost: x\r\nexpect: x\r\nconnection: close\r\n\r\n'],
        ]
        for (const [status, bytes] of requests) {
          const answer = await sendBytes({ url }, bytes)
          expect([url, answer.status, answer.closed]).toEqual([url, status, true])
          expect(answer.text).toMatch(/\r\ncache-control: no-store\r\n/i)
        }
        expect((await fetch(`${url}/healthz`)).headers.get('keep-alive')).toBe('timeout=130')
      }
    })

    test('one IP address has the limit of connections on both', { timeout: 120_000 }, async () => {
      const { addresses } = await startOnLocalhost()
      for (const url of addresses) {
        const sockets: Socket[] = []
        onTestFinished(() => {
          for (const socket of sockets) socket.destroy()
        })
        const { hostname, port } = new URL(url)
        for (let n = 0; n < PER_ADDRESS + 50; n++) {
          const socket = connect(Number(port), hostname === '[::1]' ? '::1' : hostname).on('error', () => {})
          sockets.push(socket)
          await once(socket, 'connect')
        }
        // Two idle connections of the requests before may still be open.
        await expect
          .poll(() => sockets.filter(({ destroyed }) => destroyed).length)
          .toBeGreaterThanOrEqual(50)
        expect(sockets.filter(({ destroyed }) => destroyed).length).toBeLessThanOrEqual(52)
      }
    })

    test('clicks that are in flight at SIGTERM are answered on both', async () => {
      const { shop, server, addresses } = await startOnLocalhost()
      shop.sandbox.hold()
      const answers = addresses.map((url) => fetch(`${url}/buy/tee`, { redirect: 'manual' }))
      await vi.waitFor(() => expect(shop.sandbox.requests).toHaveLength(2))
      server.child.kill('SIGTERM')
      // The service stops accepting connections, and then waits for those that it has.
      for (const url of addresses)
        await expect
          .poll(() =>
            fetch(`${url}/healthz`).then(
              ({ status }) => status,
              () => 0,
            ),
          )
          .toBe(0)
      shop.sandbox.release()
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([302, 302])
      expect(await server.ended).toEqual({ code: 0, signal: null })
      expect(server.log().at(-1)).toMatchObject({ event: 'service.stopped', drained: true })
    })
  },
)
