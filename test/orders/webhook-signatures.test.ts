import { expect, test } from 'vitest'
import { signatureOf } from '../../src/sandbox/events.ts'
import { checkoutOf, click } from '../checkout/clicks.ts'
import { startService } from '../service.ts'
import { WEBHOOK_SECRET } from './receiver.ts'
import { payQuietly, rows, startWithWebhook } from './sale.ts'

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

test('without a secret there is no such route', async () => {
  const shop = await startService()
  shop.sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  const { session } = await click(shop)
  expect(await shop.sandbox.sendEvent(session.id)).toBe(404)
})
