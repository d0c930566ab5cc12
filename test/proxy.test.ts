import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { expect, test, vi } from 'vitest'
import { configWarnings, loadConfig } from '../src/config.ts'
import { selfSigned } from './dots/self-signed.ts'
import { CREATE, clientOf, failureOf, listen } from './dots/servers.ts'
import { deploy } from './operations/server-process.ts'
import { startReceiver } from './orders/receiver.ts'

const REQUIRED = { DOTS_CLIENT_ID: 'client', DOTS_API_KEY: 'key', PUBLIC_URL: 'https://shop.example' }
const PATIENCE = { timeout: 15_000, interval: 50 }

/** A proxy that opens tunnels (RFC 9110, 9.3.6) to the ports of these hosts, and to no other. */
async function startProxy(ports: Readonly<Record<string, number>>, status = 403) {
  const asked: string[] = []
  const server = createServer()
  server.on('connect', (request, socket, head) => {
    const target = request.url ?? ''
    asked.push(target)
    const port = ports[target]
    if (port === undefined) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n')
      upstream.write(head)
      upstream.pipe(socket).pipe(upstream)
    })
    for (const end of [upstream, socket]) end.on('error', () => {}).on('close', () => upstream.destroy())
    return undefined
  })
  return { asked, url: `http://127.0.0.1:${await listen(server)}` }
}

/** Speaks TLS in front of a server on this machine, for a host name that only the proxy knows. */
async function overTls(host: string, plainUrl: string) {
  const { key, cert } = selfSigned(host)
  const server = createTlsServer({ key, cert }, (socket) => {
    const upstream = connect(Number(new URL(plainUrl).port), '127.0.0.1')
    upstream.on('error', () => {})
    socket.on('error', () => {}).on('close', () => upstream.destroy())
    socket.pipe(upstream).pipe(socket)
  })
  return { cert, port: await listen(server) }
}

/** A shop whose Dots and receiver can be reached only through a proxy. */
async function shopBehindProxy() {
  const shop = await deploy()
  const receiver = await startReceiver()
  const dots = await overTls('dots.test', shop.sandbox.url)
  const merchant = await overTls('merchant.test', receiver.url)
  const authorities = join(shop.folder, 'authorities.pem')
  await writeFile(authorities, dots.cert + merchant.cert)
  const proxy = await startProxy({ 'dots.test:443': dots.port, 'merchant.test:443': merchant.port })
  const env = {
    DOTS_API_URL: 'https://dots.test/api',
    PUBLIC_URL: shop.url,
    CHECKOUT_HOSTS: 'pay.example',
    ...receiver.env,
    FULFILLMENT_URL: 'https://merchant.test/orders',
    NODE_EXTRA_CA_CERTS: authorities,
    HTTPS_PROXY: proxy.url,
  }
  shop.sandbox.failNext({ alter: (body) => ({ ...body, checkout_session_url: 'https://pay.example/1' }) })
  return { shop, receiver, proxy, env }
}

test('with NODE_USE_ENV_PROXY=1, Dots and the receiver are reached through HTTPS_PROXY', async () => {
  const { shop, receiver, proxy, env } = await shopBehindProxy()
  await shop.start({ ...env, NODE_USE_ENV_PROXY: '1' })
  expect((await shop.get('/buy/tee')).status).toBe(302)
  const [session] = shop.sandbox.sessions.values()
  await shop.sandbox.pay(session?.id ?? '')
  expect((await shop.get(`/success?checkout=${session?.metadata?.checkout_id}`)).status).toBe(200)
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1), PATIENCE)
  expect([...new Set(proxy.asked)].sort()).toEqual(['dots.test:443', 'merchant.test:443'])
})

test('without it the proxy is not used, and the start says so once, without its URL', async () => {
  const { shop, proxy, env } = await shopBehindProxy()
  const HTTPS_PROXY = proxy.url.replace('http://', 'http://user:proxy-password@')
  const server = await shop.start({ ...env, HTTPS_PROXY })
  expect((await shop.get('/buy/tee')).status).toBe(503)
  expect(proxy.asked).toEqual([])
  expect(server.log().filter(({ event }) => event === 'config.proxy.ignored')).toMatchObject([{ level: 40 }])
  expect(server.output()).not.toContain('proxy-password')
})

test('this machine is reached directly, also where NO_PROXY does not name it', async () => {
  const shop = await deploy()
  const proxy = await startProxy({})
  await shop.start({ HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url, NODE_USE_ENV_PROXY: '1' })
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(proxy.asked).toEqual([])
})

test.each(['dots.invalid', '.invalid', '*.invalid', 'other.example,dots.invalid:443', '*'])(
  'a host that NO_PROXY=%s names is reached directly',
  async (noProxy) => {
    const { url, asked } = await startProxy({})
    const proxy = { httpProxy: '', httpsProxy: url, noProxy }
    const call = clientOf('https://dots.invalid/api', { proxy }).createCheckoutSession(CREATE)
    expect(await failureOf(call)).toMatchObject({
      code: 'dots-unreachable',
      details: { fault: expect.stringMatching(/^(?:ENOTFOUND|EAI_AGAIN)$/) },
    })
    expect(asked).toEqual([])
  },
)

test.each([403, 407, 502])('a proxy that answers %i means that nothing was sent', async (status) => {
  const { url, asked } = await startProxy({}, status)
  const proxy = { httpProxy: '', httpsProxy: url, noProxy: '' }
  const call = clientOf('https://dots.test/api', { proxy }).createCheckoutSession(CREATE)
  expect(await failureOf(call)).toMatchObject({
    code: 'dots-unreachable',
    sessionMayExist: false,
    retryAfterSeconds: 5,
  })
  // The call and its one retry.
  expect(asked).toEqual(['dots.test:443', 'dots.test:443'])
})

test('a proxy that never answers costs the time of a connection, so that the call is made once more', async () => {
  const server = createServer()
  let asked = 0
  server.on('connect', () => void asked++)
  const proxy = { httpProxy: '', httpsProxy: `http://127.0.0.1:${await listen(server)}`, noProxy: '' }
  const options = { proxy, connectMs: 200, deadlinesMs: { click: 5_000 } }
  await failureOf(clientOf('https://dots.test/api', options).createCheckoutSession(CREATE))
  expect(asked).toBe(2)
})

test('the settings: lower case wins, blanks count as absent, and only what is used has to be right', () => {
  const load = (settings: Record<string, string>) => loadConfig({ ...REQUIRED, ...settings })
  const used = { NODE_USE_ENV_PROXY: '1' }
  expect(load(used).proxy).toBe(undefined)
  expect(load({ ...used, HTTPS_PROXY: ' ', NO_PROXY: '*' }).proxy).toBe(undefined)
  const both = { HTTPS_PROXY: 'http://a.example:1', https_proxy: 'http://b.example:2', no_proxy: 'x.example' }
  expect(load({ ...used, ...both }).proxy).toEqual({
    httpProxy: '',
    httpsProxy: 'http://b.example:2',
    noProxy: 'x.example',
  })
  for (const NODE_USE_ENV_PROXY of ['', '0', 'true']) {
    const config = load({ HTTP_PROXY: 'nonsense', NODE_USE_ENV_PROXY })
    expect(config.proxy).toBe(undefined)
    expect(configWarnings(config).map(({ event }) => event)).toContain('config.proxy.ignored')
  }
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'http_proxy'])
    expect(() => load({ ...used, [name]: 'proxy.example:3128' })).toThrow(
      `${name.toUpperCase()} must be the URL of a proxy`,
    )
})
