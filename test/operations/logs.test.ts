import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { click, EVERY_TIME, expectPage } from '../checkout/clicks.ts'
import { CREDENTIALS, type Service, startService } from '../service.ts'

/** Words in every part of the requests below, which must not be in any log. */
const PRIVATE = [
  'jane',
  'needle',
  'example.com',
  CREDENTIALS.apiKey,
  btoa(`${CREDENTIALS.clientId}:${CREDENTIALS.apiKey}`),
]

function expectNothingPrivate(shop: Service): void {
  for (const word of PRIVATE) {
    const lines = shop.logText().split('\n')
    expect(lines.filter((line) => line.toLowerCase().includes(word.toLowerCase()))).toEqual([])
  }
}

/** Writes bytes that no HTTP client would send, and reads all that comes back. */
async function sendRaw(shop: Service, text: string): Promise<string> {
  const socket = connect(Number(new URL(shop.url).port), '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
  socket.on('error', () => {})
  socket.end(text)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

const PATHS = [
  '/buy/tee?email=jane@example.com&metadata_x=needle',
  '/buy/tee?email=jane%40example.com&quantity=needle',
  '/buy/tee?buyer/email=jane@example.com&quantity=2&qty=3',
  '/buy/jane@example.com',
  '/buy/tee:1,jane@example.com:1',
  '/buy/tee/jane@example.com',
  '/buy/%E0%A4%A-jane@example.com?needle',
  `/buy/tee?email=jane@example.com&needle=${'x'.repeat(9_000)}`,
  '/buy?continue_to=/needle&email=jane@example.com',
  '/success?checkout=jane@example.com',
  '/success?checkout=%zz&email=jane@example.com',
  '/cancel?email=jane@example.com&checkout=needle',
  '/?page=needle&email=jane@example.com',
  '/unsubscribe/jane@example.com?token=needle',
  '//jane@example.com/needle',
]

test('nothing private is in the log, even at level trace', async () => {
  const shop = await startService({ env: { LOG_LEVEL: 'trace' } })
  const headers = {
    referer: 'https://mail.example/needle?to=jane@example.com',
    'user-agent': 'needle jane@example.com',
    cookie: 'buyer=jane@example.com; session=needle',
    authorization: `Bearer ${CREDENTIALS.apiKey}`,
    'x-request-id': 'needle',
    'x-forwarded-for': 'needle',
  }
  const body = new URLSearchParams({ email: 'jane@example.com', metadata_x: 'needle' })
  for (const path of PATHS) {
    for (const method of ['GET', 'HEAD', 'DELETE']) await shop.get(path, { method, headers })
    await shop.get(path, { method: 'POST', headers, body })
    const json = { ...headers, 'content-type': 'application/json' }
    await shop.get(path, { method: 'POST', headers: json, body: '{"email":"jane@example.com", needle' })
  }
  await sendRaw(shop, 'GET /needle?jane@example.com HTTP/9.9\r\n\r\n')
  await sendRaw(shop, 'jane@example.com needle\r\n\r\n')
  await sendRaw(
    shop,
    `GET /buy/tee HTTP/1.1\r\nhost: x\r\ncookie: ${'jane@example.com'.repeat(2_000)}\r\n\r\n`,
  )
  expect(shop.log.length).toBeGreaterThan(PATHS.length * 4)
  expectNothingPrivate(shop)
})

test('malformed HTTP is answered, and no byte of it is in the log', async () => {
  const shop = await startService({ env: { LOG_LEVEL: 'trace' } })
  const email = 'jane@example.com'
  const requests: [status: number, text: string][] = [
    [400, `GET /buy/tee?email=${email} HTTP/9.9\r\n\r\n`],
    [400, `GET /buy/tee?email=${email} HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n`],
    [431, `GET /buy/tee HTTP/1.1\r\nhost: x\r\ncookie: ${email.repeat(2_000)}\r\n\r\n`],
  ]
  for (const [status, text] of requests) {
    const [head] = (await sendRaw(shop, text)).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`))
    expect(head).toContain('\r\ncache-control: no-store\r\n')
  }
  expect(shop.log.filter(({ event }) => event === 'request.malformed').map(({ status }) => status)).toEqual(
    requests.map(([status]) => status),
  )
  // A buffer is logged as the numbers of its bytes.
  for (const trace of [email, [...Buffer.from(email)].join(','), 'rawPacket'])
    expect(shop.logText()).not.toContain(trace)
})

test("neither a payment nor Dots' faults bring anything private into the log", async () => {
  const shop = await startService({ env: { LOG_LEVEL: 'trace' } })
  const { checkoutId, session } = await click(shop, '/buy/tee?email=jane@example.com&metadata_x=needle')
  const message = `jane@example.com needle ${CREDENTIALS.apiKey}`
  for (const call of ['create', 'read'] as const) {
    for (const status of [400, 401, 404, 409, 500]) {
      shop.sandbox.failNext({ status, body: { code: message, error: { code: message, message } } }, 3, call)
      await shop.get('/buy/tee?email=jane@example.com')
      await shop.get(`/success?checkout=${checkoutId}`)
      shop.sandbox.clear()
    }
  }
  const url = `https://jane@example.com/needle?key=${CREDENTIALS.apiKey}`
  const unsafe = { alter: (body: object) => ({ ...body, checkout_session_url: url }) }
  shop.sandbox.failNext(unsafe, EVERY_TIME, 'create')
  await shop.get('/buy/tee')
  await shop.sandbox.pay(session.id, { email: 'jane@example.com' })
  await shop.get(`/success?checkout=${checkoutId}`)
  await shop.get(`/cancel?checkout=${checkoutId}`)
  const host = shop.log.filter((line) => line.host === 'example.com')
  expect(host.length).toBeGreaterThan(0)
  for (const word of PRIVATE.filter((one) => one !== 'example.com'))
    expect(shop.logText()).not.toContain(word)
})

test('a request is one JSON line, with the reference on its page as its id and the pattern of its route', async () => {
  const shop = await startService()
  const { reference } = await expectPage(await shop.get('/buy/nope?email=jane@example.com'), 404)
  const lines = shop.log.filter((line) => line.requestId === reference)
  expect(lines).toEqual([
    {
      level: 30,
      time: expect.any(Number),
      requestId: reference,
      event: 'request.failed',
      method: 'GET',
      route: '/buy/:items',
      status: 404,
      ms: expect.any(Number),
      visitor: 'buyer',
      code: 'unknown-sku',
      msg: 'request failed',
    },
  ])
})

test('every line has an event, those that Fastify writes itself as well', async () => {
  const shop = await startService({ env: { LOG_LEVEL: 'trace' } })
  await shop.get('/buy/tee')
  await shop.get('/nowhere')
  expect(shop.log.map(({ msg }) => String(msg)).join()).toContain('Server listening at')
  expect(shop.log.filter(({ event }) => typeof event !== 'string')).toEqual([])
})

test('a sale is one line that names its checkout', async () => {
  const shop = await startService()
  const { checkoutId } = await click(shop)
  const lines = shop.log.filter((line) => line.checkout === checkoutId)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ level: 30, event: 'request.completed', route: '/buy/:items', status: 302 })
})

test('a request id is never taken from the client', async () => {
  const shop = await startService()
  const headers = { 'request-id': 'MINE', 'x-request-id': 'MINE', 'x-correlation-id': 'MINE' }
  const { reference } = await expectPage(await shop.get('/buy/nope', { headers }), 404)
  expect(reference).toMatch(/^[0-9A-HJKMNP-TV-Z]{12}$/)
})

test('line breaks in a URL cannot forge a line of the log', async () => {
  const shop = await startService()
  await shop.get('/buy/x%0A%7B%22level%22:60%7D')
  await shop.get('/success?checkout=%0A%7B%22level%22:60%7D')
  expect(shop.log.filter(({ level }) => level === 60)).toEqual([])
})
