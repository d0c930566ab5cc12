import { request } from 'node:http'
import { expect, test } from 'vitest'
import { type Service, startService } from '../service.ts'

const ONE_EACH = { RATE_LIMIT_MAX: '1', RATE_LIMIT_WINDOW: '60' }

/** Clicks once from each IP address, as a proxy would name it; the statuses in order. */
async function clicksFrom(shop: Service, ips: readonly string[]): Promise<number[]> {
  const statuses: number[] = []
  for (const ip of ips)
    statuses.push((await shop.get('/buy/tee', { headers: { 'x-forwarded-for': ip } })).status)
  return statuses
}

test('X-Forwarded-For of an untrusted client gives it no allowance of its own', async () => {
  const shop = await startService({ env: ONE_EACH })
  expect(await clicksFrom(shop, ['203.0.113.1', '203.0.113.2', '203.0.113.3'])).toEqual([302, 429, 429])
})

test('X-Forwarded-For is ignored where another network is trusted', async () => {
  const shop = await startService({ env: { ...ONE_EACH, TRUST_PROXY: '10.0.0.0/8, 192.0.2.7' } })
  expect(await clicksFrom(shop, ['203.0.113.1', '203.0.113.2'])).toEqual([302, 429])
})

test.each(['127.0.0.0/8', '127.0.0.1', '10.0.0.0/8,127.0.0.1/32'])(
  'a proxy in TRUST_PROXY=%s is trusted',
  async (trusted) => {
    const shop = await startService({ env: { ...ONE_EACH, TRUST_PROXY: trusted } })
    expect(await clicksFrom(shop, ['203.0.113.1', '203.0.113.2', '203.0.113.1'])).toEqual([302, 302, 429])
  },
)

test('behind a trusted proxy, what the client itself put into the header is ignored', async () => {
  const shop = await startService({ env: { ...ONE_EACH, TRUST_PROXY: '127.0.0.1' } })
  const forged = ['198.51.100.1, 203.0.113.1', '198.51.100.2, 203.0.113.1', '127.0.0.1, 203.0.113.1']
  expect(await clicksFrom(shop, forged)).toEqual([302, 429, 429])
})

test('one network of IPv6 addresses (/64) shares one allowance', async () => {
  const shop = await startService({ env: { ...ONE_EACH, TRUST_PROXY: '127.0.0.1' } })
  const same = ['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:3::1']
  expect(await clicksFrom(shop, same)).toEqual([302, 429, 429, 302])
})

test('an IPv4-mapped IPv6 address is the same client', async () => {
  const shop = await startService({ env: { ...ONE_EACH, TRUST_PROXY: '127.0.0.1' } })
  expect(await clicksFrom(shop, ['203.0.113.1', '::ffff:203.0.113.1'])).toEqual([302, 429])
  expect(await clicksFrom(shop, ['::ffff:203.0.113.9'])).toEqual([302])
})

test('every URL that the service generates starts with PUBLIC_URL, whatever host the request names', async () => {
  const shop = await startService({ env: { TRUST_PROXY: '127.0.0.1' } })
  const headers = {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    forwarded: 'host=evil.example',
  }
  expect((await shop.get('/buy/tee', { headers })).status).toBe(302)
  const [session] = shop.sandbox.sessions.values()
  expect(session?.success_url.startsWith(`${shop.url}/success?`)).toBe(true)
  expect(session?.cancel_url?.startsWith(`${shop.url}/cancel?`)).toBe(true)
  expect(await (await shop.get('/', { headers })).text()).not.toContain('evil.example')
})

test('browsing has ten times the allowance of checkouts, and health checks have no limit', async () => {
  const shop = await startService({ env: { ...ONE_EACH, RATE_LIMIT_MAX: '2' } })
  const statuses: number[] = []
  for (let visit = 0; visit < 21; visit++) statuses.push((await shop.get('/')).status)
  expect(statuses).toEqual([...Array.from({ length: 20 }, () => 200), 429])
  expect((await shop.get('/buy/tee')).status).toBe(302)
  for (let visit = 0; visit < 30; visit++) expect((await shop.get('/healthz')).status).toBe(200)
})

const PROXIED = { ...ONE_EACH, TRUST_PROXY: '127.0.0.1' }

test.each([
  ['a port', ['198.51.100.7:50001', '198.51.100.7:50002', '198.51.100.7']],
  ['brackets', ['[2001:db8:9::1]', '2001:db8:9::1', '[2001:db8:9::2]']],
  ['brackets and a port', ['[2001:db8:9::1]:443', '[2001:db8:9::1]:444', '[2001:db8:9::ffff]:1']],
  ['IPv4 within IPv6', ['[::ffff:198.51.100.7]:50001', '::ffff:c633:6407', '198.51.100.7:2']],
  ['proxies behind it', ['203.0.113.77, 127.0.0.1:9991', '203.0.113.77:5,127.0.0.1', ' 203.0.113.77 ,, ']],
  [
    'what the client wrote before it',
    ['[2001:db8::9]:1, 203.0.113.77:1', '192.0.2.1:7, 203.0.113.77:2', '203.0.113.77'],
  ],
])('an IP address in X-Forwarded-For is one client with or without %s', async (_what, headers) => {
  const shop = await startService({ env: PROXIED })
  expect(await clicksFrom(shop, headers)).toEqual([302, 429, 429])
  expect(await clicksFrom(shop, ['203.0.113.200:50001', '[2001:db8:a::1]:443'])).toEqual([302, 302])
})

test.each([
  'unknown',
  'needle, 203.0.113.1',
  '203.0.113.1, _hidden',
  '203.0.113.1:99999999',
  '203.0.113.1:port',
  '[203.0.113.1',
  '2001:db8::1]:443',
  '[]',
  '203.0.113.256',
  '203.0.113',
  'fe80::1%eth0%x',
  '-',
])('X-Forwarded-For: %s counts as absent', async (header) => {
  const shop = await startService({ env: PROXIED })
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(await clicksFrom(shop, [header])).toEqual([429])
})

test('several X-Forwarded-For lines are one list', async () => {
  const shop = await startService({ env: PROXIED })
  const click = (lines: string[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const options = { headers: { 'x-forwarded-for': lines } }
    request(`${shop.url}/buy/tee`, options, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end()
    return promise
  }
  expect(await click(['198.51.100.1', '203.0.113.1:1'])).toBe(302)
  expect(await click(['198.51.100.2', '203.0.113.1:2'])).toBe(429)
  expect(await click(['203.0.113.2', '127.0.0.1:80'])).toBe(302)
})

const missingTrust = (shop: Service) => shop.log.filter(({ event }) => event === 'config.trust-proxy.missing')

test('the log names TRUST_PROXY once when a proxy on this machine is not trusted', async () => {
  const shop = await startService({ env: { TRUST_PROXY: '10.0.0.0/8' } })
  await shop.get('/buy/tee')
  expect(missingTrust(shop)).toEqual([])
  await clicksFrom(shop, ['203.0.113.1', '203.0.113.2', 'unknown'])
  expect(missingTrust(shop)).toMatchObject([
    { level: 40, msg: expect.stringContaining('TRUST_PROXY=127.0.0.1') },
  ])
})

test('the log does not name TRUST_PROXY when the proxy is trusted', async () => {
  const shop = await startService({ env: { TRUST_PROXY: '127.0.0.1' } })
  await clicksFrom(shop, ['203.0.113.1', 'unknown'])
  expect(missingTrust(shop)).toEqual([])
})
