import { afterEach, expect, test } from 'vitest'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { AUTHORIZATION, call, create, createBody, start } from './dots-caller.ts'

let sandbox: Sandbox
afterEach(() => sandbox.close())

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
const UNKNOWN = '0b0a7a3e-51f0-4c5f-9d5e-4c8fd3f2a8f0'

test('wrong credentials are a 401 on every route', async () => {
  sandbox = await start()
  const id = await create(sandbox)
  for (const authorization of ['', basic('client:wrong'), basic('wrong:key'), basic('client'), 'Bearer key'])
    for (const [path, body] of [
      ['/checkout-sessions', createBody()],
      ['/checkout-sessions'],
      [`/checkout-sessions/${id}`],
    ])
      expect(await call(sandbox, String(path), body, { authorization })).toEqual({
        status: 401,
        body: { error: { code: 'unauthorized', message: expect.any(String) } },
      })
  expect(sandbox.sessions.size).toBe(1)
})

test('with an app id, a call must name exactly that app', async () => {
  sandbox = await start({ appId: 'app-1' })
  expect((await call(sandbox, '/checkout-sessions')).status).toBe(403)
  expect((await call(sandbox, '/checkout-sessions', undefined, { 'api-app-id': 'app-2' })).status).toBe(403)
  expect((await call(sandbox, '/checkout-sessions', undefined, { 'api-app-id': 'app-1' })).status).toBe(200)
})

test('a session reads back as it was created, an unknown one is a 404', async () => {
  sandbox = await start()
  const created = await call(sandbox, '/checkout-sessions', createBody())
  const path = `/checkout-sessions/${created.body.id}`
  expect(await call(sandbox, path)).toEqual(created)
  expect((await call(sandbox, `/checkout-sessions/${UNKNOWN}`)).status).toBe(404)
  expect((await call(sandbox, `${path}/expire`, {})).status).toBe(404)
})

test('a payment intent has an id and a status only, and the status changes when the session is paid', async () => {
  sandbox = await start()
  const session = (await call(sandbox, '/checkout-sessions', createBody())).body
  const path = `/payment-intents/${session.payment_intent_id}`
  expect((await call(sandbox, path)).body).toEqual({
    id: session.payment_intent_id,
    status: 'requires_payment_method',
  })
  await sandbox.pay(String(session.id), { email: 'payer@example.com', amountTotal: 4999 })
  expect((await call(sandbox, path)).body.status).toBe('succeeded')
  expect((await call(sandbox, `/checkout-sessions/${session.id}`)).body).toMatchObject({
    status: 'complete',
    customer_email: 'payer@example.com',
    amount_total: 4999,
  })
  expect((await call(sandbox, `/payment-intents/${UNKNOWN}`)).status).toBe(404)
})

test('an open session reads as expired once its time has passed, a paid one stays complete', async () => {
  let now = new Date('2026-11-22T10:00:00Z')
  sandbox = await start({ now: () => now })
  const [open, paid] = [await create(sandbox, { expires_in: 60 }), await create(sandbox, { expires_in: 60 })]
  await sandbox.pay(paid)
  now = new Date('2026-11-22T10:00:59Z')
  expect((await call(sandbox, `/checkout-sessions/${open}`)).body.status).toBe('open')
  now = new Date('2026-11-22T10:01:00Z')
  expect((await call(sandbox, `/checkout-sessions/${open}`)).body.status).toBe('expired')
  expect((await call(sandbox, `/checkout-sessions/${paid}`)).body.status).toBe('complete')
  await expect(sandbox.pay(open)).rejects.toThrow('expired')
})

test('a session can be expired before its time', async () => {
  sandbox = await start()
  const id = await create(sandbox)
  sandbox.expire(id)
  expect((await call(sandbox, `/checkout-sessions/${id}`)).body.status).toBe('expired')
})

async function ids(query: string): Promise<{ ids: unknown[]; more: unknown }> {
  const { status, body } = await call(sandbox, `/checkout-sessions${query}`)
  expect(status).toBe(200)
  const { data } = body
  if (!Array.isArray(data)) throw new Error('no list')
  return { ids: data.map((session: { id: unknown }) => session.id), more: body.has_more }
}

test('the list is paged by either cursor, newest first', async () => {
  sandbox = await start()
  const made: string[] = []
  for (let count = 0; count < 5; count++) made.unshift(await create(sandbox))
  const [e, d, c, b, a] = made
  expect(await ids('')).toEqual({ ids: [e, d, c, b, a], more: false })
  expect(await ids('?limit=2')).toEqual({ ids: [e, d], more: true })
  expect(await ids(`?limit=2&starting_after=${d}`)).toEqual({ ids: [c, b], more: true })
  expect(await ids(`?limit=2&starting_after=${b}`)).toEqual({ ids: [a], more: false })
  expect(await ids(`?limit=2&starting_after=${a}`)).toEqual({ ids: [], more: false })
  expect(await ids(`?limit=2&ending_before=${b}`)).toEqual({ ids: [d, c], more: true })
  expect(await ids(`?limit=2&ending_before=${d}`)).toEqual({ ids: [e], more: false })
  expect(await ids(`?limit=2&ending_before=${c}`)).toEqual({ ids: [e, d], more: false })
})

test('the list can be oldest first, and a page holds ten sessions where no limit is given', async () => {
  sandbox = await start({ listOrder: 'oldest-first' })
  const made: string[] = []
  for (let count = 0; count < 12; count++) made.push(await create(sandbox))
  expect(await ids('')).toEqual({ ids: made.slice(0, 10), more: true })
  expect(await ids(`?starting_after=${made[9]}`)).toEqual({ ids: made.slice(10), more: false })
})

test('a list query outside the documentation is refused', async () => {
  sandbox = await start()
  const id = await create(sandbox)
  for (const query of [
    'limit=0',
    'limit=101',
    'limit=-1',
    'limit=1.5',
    'limit=',
    'limit=ten',
    'limit=1&limit=1',
    `starting_after=${id}&ending_before=${id}`,
    'starting_after=x',
    `starting_after=${UNKNOWN}`,
    `ending_before=${UNKNOWN}`,
    'status=open',
  ])
    expect((await call(sandbox, `/checkout-sessions?${query}`)).status, query).toBe(400)
})

test('every call is recorded, with its query and its body', async () => {
  sandbox = await start()
  await create(sandbox)
  await call(sandbox, '/checkout-sessions?limit=1')
  await call(sandbox, '/checkout-sessions', '{')
  expect(sandbox.requests).toMatchObject([
    { call: 'create', method: 'POST', path: '/api/v2/checkout-sessions', body: createBody() },
    { call: 'list', method: 'GET', path: '/api/v2/checkout-sessions?limit=1', body: undefined },
    { call: 'create', body: '{', headers: { authorization: AUTHORIZATION } },
  ])
  sandbox.clear()
  expect(sandbox.requests).toEqual([])
})

test('a call that is not documented is a 404 in JSON, and recorded as such', async () => {
  sandbox = await start()
  const id = await create(sandbox)
  sandbox.clear()
  const paths = [
    '/',
    '/v2',
    '/v2/checkout-sessions/',
    `/v2/checkout-sessions/${id}/`,
    '/v2/checkout-session%73',
    '/v2/%zz',
  ]
  for (const path of paths) {
    const response = await fetch(`${sandbox.url}${path}`, { headers: { authorization: AUTHORIZATION } })
    expect(response.status, path).toBe(404)
    expect(await response.json(), path).toMatchObject({ error: { code: 'not-found' } })
  }
  for (const method of ['HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const headers = { authorization: AUTHORIZATION }
    expect((await fetch(`${sandbox.url}/v2/checkout-sessions`, { method, headers })).status, method).toBe(404)
  }
  expect(sandbox.requests.map((request) => request.call)).toEqual(Array(paths.length + 5).fill('other'))
})

test('an id that is no session is a 404, however it is written', async () => {
  sandbox = await start()
  for (const id of ['%zz', 'a%2Fb', 'x'.repeat(10_000)])
    expect((await call(sandbox, `/checkout-sessions/${id}`)).status).toBe(404)
  expect(new Set(sandbox.requests.map((request) => request.call))).toEqual(new Set(['read']))
})

test('a held call is done at once, and answered after the release', async () => {
  sandbox = await start()
  sandbox.hold()
  let answered = false
  const created = create(sandbox).then(() => {
    answered = true
  })
  await expect.poll(() => sandbox.sessions.size).toBe(1)
  expect(answered).toBe(false)
  sandbox.release()
  await created
})

test('each fault is used once, in order, by the kind of call that it was ordered for', async () => {
  sandbox = await start()
  sandbox.failNext(
    { status: 503, headers: { 'retry-after': '7' }, body: { error: { code: 'x' } } },
    2,
    'create',
  )
  sandbox.failNext({ status: 200, headers: { 'content-type': 'text/html' }, body: '{"no":1}' }, 1, 'list')
  expect((await call(sandbox, '/checkout-sessions')).body).toEqual({ no: 1 })
  expect((await call(sandbox, '/checkout-sessions', createBody())).status).toBe(503)
  expect((await call(sandbox, '/checkout-sessions', createBody())).status).toBe(503)
  expect(sandbox.sessions.size).toBe(0)
  await create(sandbox)
})

test('a good answer can be altered on its way out', async () => {
  sandbox = await start()
  sandbox.failNext({ alter: ({ checkout_session_url: _, ...rest }) => rest })
  const { status, body } = await call(sandbox, '/checkout-sessions', createBody())
  expect(status).toBe(200)
  expect(body).not.toHaveProperty('checkout_session_url')
  expect(sandbox.sessions.size).toBe(1)
})

test('connections break before, after and in the middle of an answer', async () => {
  sandbox = await start()
  for (const [fault, sessions] of [
    ['reset', 0],
    ['done-then-reset', 1],
    ['reset-in-body', 2],
  ] as const) {
    sandbox.failNext(fault)
    await expect(create(sandbox), fault).rejects.toThrow()
    expect(sandbox.sessions.size, fault).toBe(sessions)
  }
})

test('a held call gets no answer when the sandbox closes', async () => {
  sandbox = await start()
  sandbox.hold()
  const held = expect(create(sandbox)).rejects.toThrow()
  await expect.poll(() => sandbox.sessions.size).toBe(1)
  await sandbox.close()
  await held
  sandbox = await start()
})

test('calls that hang fail when the sandbox closes', async () => {
  sandbox = await start()
  sandbox.failNext('hang')
  sandbox.failNext('hang-in-body')
  const calls = [create(sandbox), create(sandbox)].map((made) => expect(made).rejects.toThrow())
  await expect.poll(() => sandbox.sessions.size).toBe(1)
  await sandbox.close()
  await Promise.all(calls)
  sandbox = await start()
})
