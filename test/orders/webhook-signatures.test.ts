import { expect, test } from 'vitest'
import { signatureOf } from '../../src/sandbox/events.ts'
import { checkoutOf, click } from '../checkout/clicks.ts'
import { startService } from '../service.ts'
import { WEBHOOK_SECRET } from './receiver.ts'
import { logged, movableClock, payQuietly, rows, startWithWebhook } from './sale.ts'

const FIVE_MINUTES = 300
const OTHER_SECRET = `whsec_${Buffer.from('somebody else knows this').toString('base64')}`
const nowSeconds = () => Math.floor(Date.now() / 1000)

test.each([
  ['svix', true],
  ['webhook', false],
])('%s headers alone are accepted', async (prefix, isSvix) => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  const body = JSON.stringify({ payment_intent_id: session.payment_intent_id })
  const timestamp = nowSeconds()
  const headers = {
    [`${prefix}-id`]: 'msg_1',
    [`${prefix}-timestamp`]: String(timestamp),
    [`${prefix}-signature`]: signatureOf(WEBHOOK_SECRET, 'msg_1', timestamp, body),
    'content-type': 'application/json',
  }
  expect(Object.keys(headers).some((name) => name.startsWith('svix'))).toBe(isSvix)
  const answer = await shop.get('/webhooks/dots', { method: 'POST', headers, body })
  expect(answer.status).toBe(200)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test('of several signatures one valid one is enough, whatever its position', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  const body = JSON.stringify({ payment_intent_id: session.payment_intent_id })
  const timestamp = nowSeconds()
  const good = signatureOf(WEBHOOK_SECRET, 'msg_1', timestamp, body)
  const bad = signatureOf(OTHER_SECRET, 'msg_1', timestamp, body)
  const send = (signature: string) =>
    shop.sandbox.sendEvent(session.id, {
      id: 'msg_1',
      timestamp,
      body,
      headers: { 'svix-signature': signature },
    })
  for (const signatures of [
    `${bad} ${bad}`,
    `v1a,${good.slice(3)}`,
    'v1',
    'v1,',
    `v2,${good.slice(3)}`,
    good.slice(3),
  ])
    expect(await send(signatures)).toBe(401)
  expect(await send(`v1a,AAAA ${bad} v1 ${good}`)).toBe(200)
  expect((await checkoutOf(shop, checkoutId)).state).toBe('complete')
})

test('while secrets are rotated, every one in the list verifies', async () => {
  const shop = await startWithWebhook({ env: { DOTS_WEBHOOK_SECRET: `${OTHER_SECRET}, ${WEBHOOK_SECRET}` } })
  const { session } = await click(shop)
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  expect(await shop.sandbox.sendEvent(session.id, { secret: OTHER_SECRET })).toBe(200)
  expect(await shop.sandbox.sendEvent(session.id, { secret: 'whsec_AAAA' })).toBe(401)
})

test('a signature is good for five minutes, in both directions', async () => {
  const shop = await startWithWebhook()
  const { session } = await click(shop)
  const send = (age: number) => shop.sandbox.sendEvent(session.id, { timestamp: nowSeconds() + age })
  // The clocks of sender and receiver may differ by a few seconds.
  for (const age of [5 - FIVE_MINUTES, FIVE_MINUTES - 5]) expect(await send(age)).toBe(200)
  for (const age of [-5 - FIVE_MINUTES, FIVE_MINUTES + 5]) expect(await send(age)).toBe(401)
})

test('what is not signed is refused with the same bytes, whatever is wrong, and leaves no trace', async () => {
  const shop = await startWithWebhook()
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  const body = JSON.stringify({ payment_intent_id: session.payment_intent_id })
  const timestamp = nowSeconds()
  const good = {
    'content-type': 'application/json',
    'svix-id': 'msg_1',
    'svix-timestamp': String(timestamp),
    'svix-signature': signatureOf(WEBHOOK_SECRET, 'msg_1', timestamp, body),
  }
  const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))
  const attempts: [string, Record<string, string>, string][] = [
    ['no headers', {}, body],
    ['no id', without('svix-id'), body],
    ['no time', without('svix-timestamp'), body],
    ['no signature', without('svix-signature'), body],
    ['another id', { ...good, 'svix-id': 'msg_2' }, body],
    ['another time', { ...good, 'svix-timestamp': String(timestamp + 1) }, body],
    ['no time at all', { ...good, 'svix-timestamp': 'now' }, body],
    ['changed body', good, `${body} `],
    ['no body', good, ''],
    ['another key', { ...good, 'svix-signature': signatureOf(OTHER_SECRET, 'msg_1', timestamp, body) }, body],
    [
      'an old one',
      {
        ...good,
        'svix-timestamp': '1600000000',
        'svix-signature': signatureOf(WEBHOOK_SECRET, 'msg_1', 1_600_000_000, body),
      },
      body,
    ],
    ['another type', { 'content-type': 'text/html' }, body],
  ]
  const answers = new Set<string>()
  for (const [what, headers, text] of attempts) {
    const answer = await shop.get('/webhooks/dots', { method: 'POST', headers, body: text })
    expect(`${what}: ${answer.status}`).toBe(`${what}: 401`)
    answers.add(await answer.text())
  }
  // Bytes have no type that fetch would add by itself.
  const bytes = await shop.get('/webhooks/dots', { method: 'POST', body: Buffer.from(body) })
  expect(bytes.status).toBe(401)
  answers.add(await bytes.text())
  expect([...answers]).toEqual(['{"error":"not signed"}'])
  expect(rows(shop, 'events')).toEqual([])
  expect((await checkoutOf(shop, checkoutId)).state).toBe('open')
  expect(shop.log.filter(({ route }) => route === '/webhooks/dots')).toEqual([])
  // The same headers with the body that they were made for are good.
  expect((await shop.get('/webhooks/dots', { method: 'POST', headers: good, body })).status).toBe(200)
})

test('signed events have no rate limit, and events that are not signed have the limit of browsing', async () => {
  const shop = await startWithWebhook({ env: { RATE_LIMIT_MAX: '2' } })
  const { session } = await click(shop)
  const statuses: number[] = []
  for (let n = 0; n < 25; n++) statuses.push(await shop.sandbox.sendEvent(session.id))
  expect(new Set(statuses)).toEqual(new Set([200]))
  const forged: number[] = []
  for (let n = 0; n < 22; n++)
    forged.push(
      await shop.sandbox.sendEvent(session.id, { secret: n % 2 === 0 ? OTHER_SECRET : 'whsec_AAAA' }),
    )
  expect(forged).toEqual([...Array.from({ length: 20 }, () => 401), 429, 429])
  // They come from the same IP address as before.
  expect(await shop.sandbox.sendEvent(session.id)).toBe(200)
  expect((await shop.get('/')).status).toBe(429)
})

test.each([
  ['has no headers', {}, '{}'],
  ['is too large', {}, 'x'.repeat(300_000)],
  ['has a broken content type', { 'content-type': ';' }, '{}'],
])('an event that %s counts in the limit of browsing, and is never logged', async (_what, headers, body) => {
  const shop = await startWithWebhook({ env: { RATE_LIMIT_MAX: '1' } })
  const statuses: number[] = []
  for (let n = 0; n < 11; n++) {
    const answer = await shop.get('/webhooks/dots', { method: 'POST', headers, body })
    statuses.push(answer.status)
    await answer.text()
  }
  expect(statuses.slice(0, 10)).not.toContain(429)
  expect(statuses[10]).toBe(429)
  // Whatever the refused request logs is there once the next one is answered.
  expect((await shop.get('/healthz')).status).toBe(200)
  expect(shop.log.filter(({ route }) => route === '/webhooks/dots')).toEqual([])
})

test.each([
  ['svix', 10],
  ['webhook', -10],
] as const)(
  'a clock that is wrong by %s %i minutes is logged once, with both times',
  async (prefix, minutes) => {
    const clock = movableClock()
    const secrets = { DOTS_WEBHOOK_SECRET: `${OTHER_SECRET},${WEBHOOK_SECRET}` }
    const shop = await startWithWebhook({ now: clock.now, env: secrets })
    const { session } = await click(shop)
    const body = JSON.stringify({ payment_intent_id: session.payment_intent_id })
    const timestamp = nowSeconds()
    const send = async (secret: string) => {
      const headers = {
        [`${prefix}-id`]: 'msg_1',
        [`${prefix}-timestamp`]: String(timestamp),
        [`${prefix}-signature`]: signatureOf(secret, 'msg_1', timestamp, body),
      }
      const answer = await shop.get('/webhooks/dots', { method: 'POST', headers, body })
      return [answer.status, await answer.text()]
    }
    clock.forward(60 * minutes)
    const refused = [401, '{"error":"not signed"}']
    expect(await send('whsec_AAAA')).toEqual(refused)
    expect(logged(shop, 'webhook.clock-wrong')).toEqual([])
    for (let n = 0; n < 3; n++) expect(await send(WEBHOOK_SECRET)).toEqual(refused)
    const [warning, ...more] = logged(shop, 'webhook.clock-wrong')
    expect(more).toEqual([])
    expect(warning).toMatchObject({ level: 40, sentAt: new Date(timestamp * 1000).toISOString() })
    const difference = Date.parse(String(warning?.receivedAt)) - timestamp * 1000
    expect(Math.round(difference / 60_000)).toBe(minutes)
    clock.forward(-60 * minutes)
    expect(await send(WEBHOOK_SECRET)).toEqual([200, '{"received":true}'])
  },
)

test('without a secret there is no such route', async () => {
  const shop = await startService()
  shop.sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  const { session } = await click(shop)
  expect(await shop.sandbox.sendEvent(session.id)).toBe(404)
})
