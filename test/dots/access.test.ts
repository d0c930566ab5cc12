import { describe, expect, onTestFinished, test } from 'vitest'
import type { CannedAnswer } from '../../src/sandbox/faults.ts'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { manualClock } from './manual-clock.ts'
import { CREATE, CREDENTIALS, clientOf, recordedLog } from './servers.ts'

/** A tenth of a second stands for the 30 seconds between two reads. */
const SHORT_RECHECK_MS = 100
const RECHECK_MS = 30_000
const REFUSED: CannedAnswer = { status: 401 }
const FORBIDDEN: CannedAnswer = { status: 403 }
const FIREWALL: CannedAnswer = { status: 403, headers: { 'content-type': 'text/html' }, body: '<h1>no</h1>' }

async function make({ apiKey = CREDENTIALS.apiKey, credentialsRecheckMs = RECHECK_MS, path = '' } = {}) {
  const sandbox: Sandbox = await startSandbox(CREDENTIALS)
  onTestFinished(() => sandbox.close())
  const { clock, forward } = manualClock()
  const { log, lines } = recordedLog()
  const options = { apiKey, clock, log, credentialsRecheckMs, firstCallMs: 0 }
  const client = clientOf(`${sandbox.url}${path}`, options)
  const kinds = {
    create: () => client.createCheckoutSession(CREATE),
    read: () => client.getCheckoutSession('nobody', 'return'),
    list: () => client.listCheckoutSessions({ limit: 1 }),
  }
  /** Makes one call after the other, each with the answer that stands behind it, or the right one. */
  const meet = async (...steps: [kind: keyof typeof kinds, answer?: CannedAnswer][]) => {
    for (const [kind, answer] of steps) {
      if (answer !== undefined) sandbox.failNext(answer, 1, kind)
      await kinds[kind]().catch(() => undefined)
    }
  }
  const events = () => lines.filter(({ event }) => String(event).startsWith('dots.credentials.'))
  return { sandbox, client, forward, meet, lines, events }
}

const READY = { isReady: true, refused: [] }

describe('refused', () => {
  test.each(['create', 'read'] as const)(
    'one %s changes nothing, the second in a row makes the service unready, and a good one ready again',
    async (kind) => {
      for (const answer of [REFUSED, FORBIDDEN]) {
        const { client, meet, events } = await make()
        await meet([kind], [kind, answer])
        expect(client.access).toEqual({ ...READY, credentials: 'accepted' })
        await meet([kind, answer])
        expect(client.access).toEqual({ isReady: false, refused: [kind], credentials: 'refused' })
        await meet([kind, answer], [kind])
        expect(client.access).toEqual({ ...READY, credentials: 'accepted' })
        expect(events()).toMatchObject([
          { event: 'dots.credentials.accepted', level: 30, call: kind },
          {
            event: 'dots.credentials.rejected',
            level: 50,
            call: kind,
            check: 'DOTS_CLIENT_ID and DOTS_API_KEY',
          },
          { event: 'dots.credentials.accepted', level: 30, call: kind },
        ])
      }
    },
  )

  test('a list is reported, and leaves the service ready however often it is refused', async () => {
    const { client, meet, events } = await make()
    for (let n = 0; n < 5; n++) await meet(['list', REFUSED])
    expect(client.access).toEqual({ isReady: true, refused: ['list'], credentials: 'unchecked' })
    expect(events()).toMatchObject([{ event: 'dots.credentials.rejected', call: 'list' }])
  })

  test('calls of different kinds are not two in a row', async () => {
    const { client, meet } = await make()
    await meet(['create', REFUSED], ['read', REFUSED], ['list', REFUSED])
    expect(client.access).toEqual({ ...READY, credentials: 'unchecked' })
    await meet(['create'], ['create', REFUSED])
    expect(client.access).toMatchObject(READY)
  })

  test('calls of one kind are two in a row whatever other calls say, and whatever fails in between', async () => {
    const { client, meet } = await make()
    await meet(['create', REFUSED], ['read'], ['list'], ['create', FIREWALL], ['create', { status: 400 }])
    expect(client.access).toMatchObject(READY)
    await meet(['create', REFUSED])
    expect(client.access).toMatchObject({ isReady: false })
  })

  test('a firewall says nothing, on any call and however often', async () => {
    const { client, meet, events } = await make()
    for (let n = 0; n < 5; n++) await meet(['create', FIREWALL], ['read', FIREWALL], ['list', FIREWALL])
    expect(client.access).toEqual({ ...READY, credentials: 'unchecked' })
    expect(events()).toEqual([])
  })

  test.each([404, 405])('creates with %i count, and the log names the URL', async (status) => {
    const { client, meet, events } = await make()
    await meet(['create', { status, body: '<h1>nothing here</h1>' }])
    expect(client.access).toMatchObject(READY)
    await meet(['create', { status }])
    expect(client.access).toMatchObject({ isReady: false, refused: ['create'] })
    expect(events()).toMatchObject([
      { event: 'dots.credentials.rejected', call: 'create', check: 'DOTS_API_URL' },
    ])
  })
})

describe('while creates are refused', () => {
  test('the service is ready again after 30 seconds, so that a click decides', async () => {
    const { client, meet, forward, events } = await make()
    await meet(['create', REFUSED], ['create', REFUSED])
    forward(20_000)
    await meet(['create', REFUSED])
    expect(client.access).toMatchObject({ isReady: false })
    forward(10_000)
    expect(client.access).toEqual({ isReady: true, refused: ['create'], credentials: 'refused' })
    await meet(['create', REFUSED])
    expect(client.access).toMatchObject({ isReady: false })
    forward(30_000)
    await meet(['create'])
    expect(client.access).toEqual({ ...READY, credentials: 'accepted' })
    expect(events()).toHaveLength(2)
  })

  test('a later refusal has its whole 30 seconds', async () => {
    const { client, meet, forward } = await make()
    await meet(['create', REFUSED], ['create', REFUSED], ['create'])
    forward(29_000)
    await meet(['create', REFUSED], ['create', REFUSED])
    forward(2_000)
    expect(client.access).toMatchObject({ isReady: false })
  })
})

describe('while reads are refused', () => {
  test('one is tried again and again, until the first that succeeds', async () => {
    const { sandbox, client, meet } = await make({ credentialsRecheckMs: SHORT_RECHECK_MS })
    sandbox.failNext(REFUSED, 5, 'read')
    await meet(['read'], ['read'])
    expect(client.access).toMatchObject({ isReady: false, refused: ['read'] })
    await expect.poll(() => client.access).toEqual({ ...READY, credentials: 'accepted' })
    expect(sandbox.requests.map(({ call }) => call)).toEqual(Array(6).fill('read'))
  })

  test('a session that Dots has shown is tried, since a refused one may belong to another app', async () => {
    const { sandbox, client, meet } = await make({ credentialsRecheckMs: SHORT_RECHECK_MS })
    const { session } = await client.createCheckoutSession(CREATE)
    await meet(['read', FORBIDDEN], ['read', FORBIDDEN])
    await expect.poll(() => client.access.isReady).toBe(true)
    expect(sandbox.requests.at(-1)?.path).toBe(`/api/v2/checkout-sessions/${session.id}`)
  })

  test('a background that Dots has paused does not delay it', async () => {
    const { client, meet } = await make({ credentialsRecheckMs: SHORT_RECHECK_MS })
    await meet(['list', { status: 429, headers: { 'retry-after': '120' } }])
    await meet(['read', REFUSED], ['read', REFUSED])
    await expect.poll(() => client.access.isReady).toBe(true)
  })
})

describe('the first call', () => {
  test('reads one session of the list, and says that the credentials are right', async () => {
    const { sandbox, client, lines } = await make()
    client.start()
    await expect.poll(() => client.access.credentials).toBe('accepted')
    expect(sandbox.requests.map(({ path }) => path)).toEqual(['/api/v2/checkout-sessions?limit=1'])
    expect(lines).toMatchObject([{ event: 'dots.credentials.accepted', level: 30 }])
  })

  test.each([
    ['a wrong key', { apiKey: 'wrong' }, 'DOTS_CLIENT_ID and DOTS_API_KEY'],
    ['a wrong URL', { path: '/nowhere' }, 'DOTS_API_URL'],
  ])('tells %s in one line, and counts as the first refusal', async (_what, options, check) => {
    const { client, meet, lines } = await make(options)
    client.start()
    await expect.poll(() => lines).toMatchObject([{ event: 'dots.first-call.failed', level: 50, check }])
    expect(client.access).toEqual({ ...READY, credentials: 'unchecked' })
    await meet(['create'])
    expect(client.access).toMatchObject({ isReady: false, refused: ['create'] })
  })

  test('does not count for calls that Dots has accepted before', async () => {
    const { sandbox, client, meet, lines } = await make()
    await meet(['create'])
    sandbox.failNext(REFUSED, 1, 'list')
    client.start()
    await expect.poll(() => lines.at(-1)?.event).toBe('dots.first-call.failed')
    await meet(['create', REFUSED])
    expect(client.access).toMatchObject(READY)
  })

  test('that fails otherwise is a warning', async () => {
    const { sandbox, client, lines } = await make()
    sandbox.failNext({ status: 500 }, 2, 'list')
    client.start()
    await expect
      .poll(() => lines)
      .toMatchObject([{ event: 'dots.first-call.failed', level: 40, code: 'dots-unavailable' }])
    expect(client.access).toEqual({ ...READY, credentials: 'unchecked' })
  })

  test('is not made by a service that stops before', async () => {
    const { sandbox, client } = await make()
    client.start()
    client.abort(['background'])
    await client.createCheckoutSession(CREATE)
    expect(sandbox.requests.map(({ call }) => call)).toEqual(['create'])
  })
})
