import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts'
import { CREATE, CREDENTIALS, clientOf, failureOf, GOOD, web } from './servers.ts'

async function dots(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ ...CREDENTIALS, ...options })
  onTestFinished(() => sandbox.close())
  return sandbox
}

/** A Dots with the same response to every call. */
function always(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  return web((request, response) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  })
}

describe('what is sent', () => {
  test('a create call is exactly the documented one', async () => {
    const sandbox = await dots({ appId: 'app-1' })
    const client = clientOf(sandbox.url, { appId: 'app-1' })
    const { session, checkoutUrl } = await client.createCheckoutSession(CREATE)
    expect(checkoutUrl.href).toBe(sandbox.sessions.get(session.id ?? '')?.checkout_session_url)
    expect(sandbox.requests).toHaveLength(1)
    expect(sandbox.requests[0]).toMatchObject({
      method: 'POST',
      path: '/api/v2/checkout-sessions',
      body: CREATE,
    })
    expect(sandbox.requests[0]?.headers).toEqual({
      host: new URL(sandbox.url).host,
      connection: 'keep-alive',
      authorization: 'Basic Y2xpZW50OmtleQ==',
      accept: 'application/json',
      'user-agent': 'dots-buy-links',
      'api-app-id': 'app-1',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(JSON.stringify(CREATE))),
    })
  })

  test('without an app id the header is not there, and a read has no content type', async () => {
    const sandbox = await dots()
    await failureOf(clientOf(sandbox.url).getCheckoutSession('x', 'return'))
    expect(sandbox.requests[0]?.headers).not.toHaveProperty('api-app-id')
    expect(sandbox.requests[0]?.headers).not.toHaveProperty('content-type')
  })

  test('an id cannot lead to another path', async () => {
    const sandbox = await dots()
    await failureOf(clientOf(sandbox.url).getCheckoutSession('../payment-intents/a?b#c', 'return'))
    expect(sandbox.requests[0]?.path).toBe('/api/v2/checkout-sessions/..%2Fpayment-intents%2Fa%3Fb%23c')
  })

  test.each(['', '/', '/api', '/api/', '/deep/er'])('the base %j is kept before the path', async (base) => {
    const paths: (string | undefined)[] = []
    const url = await web((request, response) => {
      paths.push(request.url)
      response.writeHead(404).end()
    })
    await failureOf(clientOf(url.replace('/api', base)).getCheckoutSession('x', 'return'))
    expect(paths).toEqual([`${base.replace(/\/$/, '')}/v2/checkout-sessions/x`])
  })

  test('one connection is reused for later calls', async () => {
    const ports = new Set<number | undefined>()
    const url = await web((request, response) => {
      ports.add(request.socket.remotePort)
      request.resume()
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(GOOD))
    })
    const client = clientOf(url)
    for (let n = 0; n < 30; n++) {
      await client.createCheckoutSession(CREATE)
      // A connection is free again a moment after its response was read.
      await sleep(2)
    }
    expect(ports.size).toBe(1)
  })

  test('calls over the limit wait', async () => {
    let [now, peak] = [0, 0]
    const url = await web(async (request, response) => {
      request.resume()
      peak = Math.max(peak, ++now)
      await sleep(20)
      now--
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(GOOD))
    })
    const client = clientOf(url, { maxInFlight: 3 })
    await Promise.all(Array.from({ length: 12 }, () => client.createCheckoutSession(CREATE)))
    expect(peak).toBe(3)
  })
})

describe('reading', () => {
  test('a session is read as the sandbox keeps it', async () => {
    const sandbox = await dots()
    const client = clientOf(sandbox.url)
    const { session } = await client.createCheckoutSession({ ...CREATE, customer_email: 'b@shop.example' })
    const id = session.id ?? ''
    await sandbox.pay(id)
    expect(await client.getCheckoutSession(id, 'return')).toMatchObject({
      id,
      status: 'complete',
      customer_email: 'b@shop.example',
      amount_total: 5000,
      metadata: { checkout_id: '1' },
    })
  })

  test('a session that Dots does not know is dots-not-found', async () => {
    const sandbox = await dots()
    const error = await failureOf(clientOf(sandbox.url).getCheckoutSession('nobody', 'return'))
    expect(error.code).toBe('dots-not-found')
  })

  test.each(['newest-first', 'oldest-first'] as const)(
    'the list is read page by page to its end (%s)',
    async (listOrder) => {
      const sandbox = await dots({ listOrder })
      const client = clientOf(sandbox.url)
      for (let n = 0; n < 7; n++) {
        await client.createCheckoutSession({ ...CREATE, metadata: { checkout_id: String(n) } })
      }
      const found: unknown[] = []
      let startingAfter: string | undefined
      for (let more = true; more; ) {
        const page = await client.listCheckoutSessions({ limit: 3, startingAfter })
        expect(page.sessions.length).toBeLessThanOrEqual(3)
        found.push(...page.sessions.map(({ metadata }) => metadata?.checkout_id))
        startingAfter = page.sessions.at(-1)?.id
        more = page.hasMore
      }
      expect(found.toSorted()).toEqual(['0', '1', '2', '3', '4', '5', '6'])
      expect(sandbox.requests.filter(({ call }) => call === 'list')).toHaveLength(3)
    },
  )

  test('a full page of a hundred large sessions is not too large', async () => {
    const large = { id: 'a', metadata: { text: 'x'.repeat(20_000) } }
    const url = await always(200, JSON.stringify({ data: Array(100).fill(large), has_more: false }))
    const { sessions } = await clientOf(url).listCheckoutSessions({ limit: 100 })
    expect(sessions).toHaveLength(100)
  })
})

describe('a valid response', () => {
  test.each([200, 201, 202])('may have the status %i', async (status) => {
    const url = await always(status, JSON.stringify(GOOD))
    const { checkoutUrl } = await clientOf(url).createCheckoutSession(CREATE)
    expect(checkoutUrl.href).toBe(GOOD.checkout_session_url)
  })

  test.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/problem+json'])(
    'may be %s',
    async (type) => {
      const url = await always(200, JSON.stringify(GOOD), { 'content-type': type })
      await expect(clientOf(url).createCheckoutSession(CREATE)).resolves.toBeDefined()
    },
  )

  test.each([
    ['null', null],
    ['wrong', { a: 1 }],
    ['absent', undefined],
  ])('needs no field but the URL: the others may be %s', async (_what, value) => {
    const others = [
      'id',
      'status',
      'payment_intent_id',
      'expiry',
      'metadata',
      'customer_email',
      'amount_total',
    ]
    const answer = { ...GOOD, ...Object.fromEntries(others.map((name) => [name, value])) }
    const url = await always(200, JSON.stringify(answer))
    const { session, checkoutUrl } = await clientOf(url).createCheckoutSession(CREATE)
    expect(checkoutUrl.href).toBe(GOOD.checkout_session_url)
    expect(session.id).toBeUndefined()
  })
})

describe('an invalid response', () => {
  test.each([
    ['no JSON', '<html>', {}],
    ['an empty body', '', {}],
    ['half of a JSON text', '{"checkout_session_url": "https://pay', {}],
    ['another content type', JSON.stringify(GOOD), { 'content-type': 'text/html' }],
    ['a list', JSON.stringify([GOOD]), {}],
    ['null', 'null', {}],
    ['text', '"https://pay.example"', {}],
    ['an object without the URL', '{"id":"s1"}', {}],
    ['a URL that is null', '{"checkout_session_url":null}', {}],
    ['a URL that is a list', '{"checkout_session_url":["https://pay.example/"]}', {}],
    ['an empty URL', '{"checkout_session_url":""}', {}],
  ])('%s: a session may exist, and the body is not logged', async (_what, body, headers) => {
    const error = await failureOf(clientOf(await always(200, body, headers)).createCheckoutSession(CREATE))
    expect(error).toMatchObject({
      status: 503,
      code: 'dots-invalid-response',
      sessionMayExist: true,
      logLevel: 'error',
    })
    expect(error.retryAfterSeconds).toBeUndefined()
    expect(error.details).toMatchObject({ bytes: Buffer.byteLength(body), sha256: expect.any(String) })
    if (body.length > 10) expect(JSON.stringify(error.details)).not.toContain(body)
  })

  test('an unsafe URL is refused, and only its host is logged', async () => {
    const url = await always(200, '{"checkout_session_url":"https://user:hunter2@pay.example/c"}')
    const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
    expect(error).toMatchObject({
      code: 'dots-unsafe-url',
      sessionMayExist: true,
      logLevel: 'error',
      retryAfterSeconds: undefined,
      details: { dotsStatus: 200, host: 'pay.example' },
    })
    expect(JSON.stringify(error.details)).not.toContain('hunter2')
  })
})

describe('an error response', () => {
  const NOW = new Date('2026-11-22T10:00:00Z')
  const unavailable = { code: 'dots-unavailable', retryAfterSeconds: 5 }
  const refused = { code: 'dots-request-refused', sessionMayExist: false, logLevel: 'error' }
  const CHECKS: Record<string, string> = {
    'dots-credentials-refused': 'DOTS_CLIENT_ID and DOTS_API_KEY',
    'dots-wrong-address': 'DOTS_API_URL',
  }
  const CASES = [
    ...[400, 402, 410, 413, 422, 451].map((status) => ({ status, ...refused })),
    ...[301, 302, 303, 307, 308].map((status) => ({ status, ...refused })),
    ...[401, 403].map((status) => ({
      status,
      code: 'dots-credentials-refused',
      sessionMayExist: false,
      logLevel: 'error',
    })),
    ...[404, 405].map((status) => ({ status, ...refused, code: 'dots-wrong-address' })),
    ...[409, 429].map((status) => ({
      status,
      ...unavailable,
      code: status === 409 ? 'dots-conflict' : 'dots-rate-limited',
      sessionMayExist: false,
      logLevel: 'warn',
    })),
    ...[500, 502, 503, 504, 599].map((status) => ({
      status,
      ...unavailable,
      sessionMayExist: true,
      logLevel: 'warn',
    })),
  ]

  test.each(CASES)(
    '$status is $code, and a session may exist: $sessionMayExist',
    async ({ status, ...expected }) => {
      const body = JSON.stringify({ error: { code: 'some-code', message: 'secret upstream text' } })
      const url = await always(status, body, { location: 'https://evil.example/' })
      const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
      expect(error).toMatchObject({ status: 503, retryAfterSeconds: undefined, ...expected })
      const check = CHECKS[error.code]
      expect(error.details).toEqual({ dotsStatus: status, dotsCode: 'some-code', check })
      expect(JSON.stringify([error.message, error.details])).not.toContain('upstream')
    },
  )

  test.each([
    ['17', 17],
    ['Sun, 22 Nov 2026 10:00:09 GMT', 9],
    ['86400', 120],
    ['nonsense', 5],
    ['-3', 5],
  ])('with Retry-After: %s it lasts %i seconds', async (header, seconds) => {
    for (const status of [429, 503]) {
      const url = await always(status, '', { 'retry-after': header })
      const error = await failureOf(clientOf(url, { now: () => NOW }).createCheckoutSession(CREATE))
      expect(error.retryAfterSeconds).toBe(seconds)
    }
  })

  test('Retry-After is ignored where waiting does not help', async () => {
    const url = await always(400, '{}', { 'retry-after': '3' })
    expect((await failureOf(clientOf(url).createCheckoutSession(CREATE))).retryAfterSeconds).toBeUndefined()
  })

  test.each([
    ['HTML', '<h1>Forbidden</h1>', { 'content-type': 'text/html' }],
    ['nothing', '', { 'content-type': 'application/json' }],
    ['JSON under another type', '{}', { 'content-type': 'text/plain' }],
  ])('403 with %s comes from a firewall, whatever the call', async (_what, body, headers) => {
    const client = clientOf(await always(403, body, { ...headers, 'retry-after': '7' }))
    for (const call of [
      client.createCheckoutSession(CREATE),
      client.getCheckoutSession('a', 'return'),
      client.listCheckoutSessions({ limit: 1 }),
    ]) {
      expect(await failureOf(call)).toMatchObject({
        code: 'dots-blocked',
        status: 503,
        sessionMayExist: false,
        logLevel: 'error',
        retryAfterSeconds: undefined,
      })
    }
  })

  test('404 is about a session where the call names one, and about the URL otherwise', async () => {
    const client = clientOf(await always(404, '{}'))
    const codes = [
      client.getCheckoutSession('a', 'return'),
      client.listCheckoutSessions({ limit: 1, startingAfter: 'a' }),
      client.listCheckoutSessions({ limit: 1 }),
    ].map(async (call) => (await failureOf(call)).code)
    expect(await Promise.all(codes)).toEqual(['dots-not-found', 'dots-not-found', 'dots-wrong-address'])
  })

  test('is known by its status, even where a proxy has wrapped it in a long page', async () => {
    const page = `<html>${'x'.repeat(200_000)}</html>`
    for (const [status, code] of [
      [401, 'dots-credentials-refused'],
      [503, 'dots-unavailable'],
    ] as const) {
      const url = await always(status, page, { 'content-type': 'text/html', 'retry-after': '9' })
      expect((await failureOf(clientOf(url).createCheckoutSession(CREATE))).code).toBe(code)
    }
  })
})
