import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Sandbox, SandboxOptions } from '../../src/sandbox/sandbox.ts'
import { create, start } from './dots-caller.ts'

const KEY = Buffer.from('a key that only tests know')
const SECRET = `whsec_${KEY.toString('base64')}`
const NOW = new Date('2026-11-22T10:00:00.700Z')

interface Received {
  headers: IncomingHttpHeaders
  body: string
}

let received: Received[]
let statuses: (number | 'silence')[]
let server: Server
let sandbox: Sandbox

beforeEach(async () => {
  received = []
  statuses = []
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    received.push({ headers: request.headers, body })
    const status = statuses.shift() ?? 204
    if (status !== 'silence') response.writeHead(status).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  await sandbox.close()
  server.closeAllConnections()
  server.close()
})

async function startWithWebhook(options: Partial<SandboxOptions> = {}): Promise<string> {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  sandbox = await start({ now: () => NOW, ...options })
  sandbox.webhook = { url: `http://127.0.0.1:${address.port}/webhooks/dots`, secret: SECRET }
  return await create(sandbox)
}

const eventIds = () => received.map(({ headers }) => headers['svix-id'])

test('a payment sends two events with only an id, signed as Svix signs', async () => {
  const id = await startWithWebhook()
  await sandbox.pay(id)
  await sandbox.eventsSettled()
  expect(received).toHaveLength(2)
  for (const { headers, body } of received) {
    expect(body).toBe(
      `{"event":"payment_intent.updated","payment_intent_id":"${sandbox.sessions.get(id)?.payment_intent_id}"}`,
    )
    expect(headers['svix-timestamp']).toBe('1795341600')
    const signed = createHmac('sha256', KEY).update(`${headers['svix-id']}.1795341600.${body}`)
    expect(headers['svix-signature']).toBe(`v1,${signed.digest('base64')}`)
    expect(headers).not.toHaveProperty('webhook-id')
  }
  expect(new Set(eventIds()).size).toBe(2)
  expect(sandbox.deliveries.map(({ outcome }) => outcome)).toEqual([204, 204])
})

test('a failed delivery is sent again under the same id until it succeeds', async () => {
  const id = await startWithWebhook({ retryAfterMs: [50, 50, 50] })
  statuses = [503, 204, 302, 204]
  await sandbox.pay(id)
  await expect.poll(() => sandbox.deliveries.map(({ outcome }) => outcome)).toEqual([503, 204, 302, 204])
  const [failed, other] = eventIds()
  expect(eventIds()).toEqual([failed, other, failed, failed])
  expect(sandbox.deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 3])
})

test('an answer that never comes counts as failed, and the schedule ends', async () => {
  const id = await startWithWebhook({ retryAfterMs: [5], answerWithinMs: 300 })
  statuses = ['silence', 'silence', 204]
  await sandbox.pay(id)
  await expect.poll(() => sandbox.deliveries.length).toBeGreaterThanOrEqual(3)
  await sandbox.eventsSettled()
  expect(sandbox.deliveries.filter(({ outcome }) => outcome === 'unreachable')).toHaveLength(2)
})

test('closing forgets the retries that are still ahead', async () => {
  const id = await startWithWebhook({ retryAfterMs: [600] })
  statuses = [500, 500]
  await sandbox.pay(id)
  await sandbox.eventsSettled()
  await sandbox.close()
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(received).toHaveLength(2)
  sandbox = await start()
})

test('events can be lost', async () => {
  const id = await startWithWebhook({ random: () => 0.4 })
  sandbox.delivery.lose = 0.5
  await sandbox.pay(id)
  await sandbox.eventsSettled()
  expect(received).toEqual([])
  expect(sandbox.deliveries.map(({ outcome }) => outcome)).toEqual(['lost', 'lost'])
})

test('events can be sent twice under one id', async () => {
  const id = await startWithWebhook({ random: () => 0.4 })
  sandbox.delivery.double = 0.5
  await sandbox.pay(id)
  await sandbox.eventsSettled()
  const [a, b, c, d] = eventIds()
  expect([a, c]).toEqual([b, d])
  expect(a).not.toBe(c)
})

test('events can arrive in another order', async () => {
  const id = await startWithWebhook({ random: () => 0.4 })
  Object.assign(sandbox.delivery, { double: 0.5, shuffle: true })
  await sandbox.pay(id)
  await sandbox.eventsSettled()
  const [a, b, c, d] = eventIds()
  expect([a, b]).toEqual([c, d])
  expect(a).not.toBe(b)
})

test('events can come late, with both kinds of headers, and without the event key', async () => {
  const id = await startWithWebhook()
  Object.assign(sandbox.delivery, {
    delayMs: 100,
    shuffle: true,
    alsoWebhookHeaders: true,
    withoutEventKey: true,
  })
  await sandbox.pay(id)
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(received).toEqual([])
  await sandbox.eventsSettled()
  expect(received).toHaveLength(2)
  for (const { headers, body } of received) {
    expect(JSON.parse(body)).toEqual({ payment_intent_id: sandbox.sessions.get(id)?.payment_intent_id })
    expect(headers['webhook-id']).toBe(headers['svix-id'])
    expect(headers['webhook-signature']).toBe(headers['svix-signature'])
  }
})

test('an event can be sent with another id, time, secret, body and headers', async () => {
  const id = await startWithWebhook()
  statuses = [401]
  expect(await sandbox.sendEvent(id, { id: 'msg_1', timestamp: 7, secret: 'whsec_AAAA' })).toBe(401)
  expect(received[0]?.headers).toMatchObject({ 'svix-id': 'msg_1', 'svix-timestamp': '7' })
  const forged = createHmac('sha256', Buffer.alloc(3)).update(`msg_1.7.${received[0]?.body}`).digest('base64')
  expect(received[0]?.headers['svix-signature']).toBe(`v1,${forged}`)
  expect(
    await sandbox.sendEvent('none', { body: { hello: 1 }, headers: { 'svix-signature': undefined } }),
  ).toBe(204)
  expect(received[1]?.body).toBe('{"hello":1}')
  expect(received[1]?.headers).not.toHaveProperty('svix-signature')
  await expect(sandbox.sendEvent('none')).rejects.toThrow('needs a body')
})

test('without a webhook a payment sends no event', async () => {
  sandbox = await start()
  await sandbox.pay(await create(sandbox))
  await sandbox.eventsSettled()
  expect(sandbox.deliveries).toEqual([])
})
