import { describe, expect, test } from 'vitest'
import { errorCode, parseSession, parseSessionPage } from '../../src/dots/messages.ts'

describe('a session', () => {
  test('known fields are read, unknown ones are left out', () => {
    const session = {
      id: 's1',
      status: 'complete',
      payment_intent_id: 'pi1',
      checkout_session_url: 'https://pay.example/c',
      expiry: '2026-11-22T12:59:59.000Z',
      metadata: { checkout_id: '1', odd: 7 },
      customer_email: 'buyer@example.com',
      client_reference_id: 'ref',
      amount_total: 5000,
      created: '2026-11-22T10:00:00.000Z',
    }
    expect(parseSession({ ...session, price: 'new', line_items: [] })).toEqual(session)
  })

  test.each([
    ['null', null],
    ['a number', 7],
    ['a list', []],
    ['an object', {}],
    ['empty text', ''],
    ['true', true],
  ])('a field that is %s is left out, and the others are read', (_what, wrong) => {
    const names = ['id', 'status', 'payment_intent_id', 'expiry', 'customer_email', 'amount_total', 'created']
    for (const name of names) {
      const session = parseSession({ checkout_session_url: 'https://pay.example/c', [name]: wrong })
      expect(session?.checkout_session_url, name).toBe('https://pay.example/c')
      const isAmount = name === 'amount_total' && wrong === 7
      if (!isAmount) expect(Object.entries(session ?? {}), name).not.toContainEqual([name, wrong])
    }
  })

  test('an unknown status, a broken amount and a URL without end are left out', () => {
    expect(
      parseSession({
        status: 'paid',
        amount_total: 10.5,
        checkout_session_url: `https://x/${'a'.repeat(9000)}`,
      }),
    ).toEqual({})
  })

  test.each([null, undefined, 'text', 7, true, []])('%j is no session', (body) => {
    expect(parseSession(body)).toBeUndefined()
  })

  test('inherited properties are not read as fields', () => {
    const body: unknown = JSON.parse('{"__proto__": {"id": "stolen"}, "constructor": "x"}')
    expect(parseSession(body)).toEqual({})
  })
})

describe('a page of sessions', () => {
  test('entries that are no sessions are skipped', () => {
    expect(parseSessionPage({ data: [{ id: 'a' }, null, 7, [], { id: 'b' }], has_more: true })).toEqual({
      sessions: [{ id: 'a' }, { id: 'b' }],
      hasMore: true,
    })
  })

  test('without has_more it is the last one', () => {
    expect(parseSessionPage({ data: [] })).toEqual({ sessions: [], hasMore: false })
  })

  test.each([null, [], {}, { data: null }, { data: {} }, { data: [], has_more: 'yes' }, 'text'])(
    '%j is no page',
    (body) => {
      expect(parseSessionPage(body)).toBeUndefined()
    },
  )
})

describe('the error code of a response', () => {
  test.each([
    [{ code: 'invalid-input' }, 'invalid-input'],
    [{ error: { code: 'invalid-input', message: 'free text' } }, 'invalid-input'],
    [{ error: 'service-unavailable' }, 'service-unavailable'],
    [{ code: 'resource-busy', error: { code: 'other' } }, 'resource-busy'],
    [{ code: 'not a code at all', error: { code: 'invalid-input' } }, 'invalid-input'],
    [{ code: 400, error: { code: 'invalid-input' } }, 'invalid-input'],
  ])('%j has %s', (body, code) => {
    expect(errorCode(body)).toBe(code)
  })

  test.each([
    null,
    undefined,
    'invalid-input',
    [],
    {},
    { message: 'invalid-input' },
    { code: 'buyer@example.com is no email' },
    { error: 'The email buyer@example.com is wrong' },
    { error: 'buyer@example.com' },
    { error: { code: 'a\nforged line' } },
    { code: '' },
    { code: 'x'.repeat(65) },
    { code: null, error: null },
    { error: ['invalid-input'] },
  ])('%j has none that is safe to log', (body) => {
    expect(errorCode(body)).toBeUndefined()
  })
})

test.each([
  [5000, 5000],
  ['5000', 5000],
  ['0', 0],
  ['50.00', undefined],
  ['-1', undefined],
  ['', undefined],
  [null, undefined],
  ['9'.repeat(16), undefined],
])('an amount_total of %j is read as %j', (given, expected) => {
  expect(parseSession({ amount_total: given })?.amount_total).toBe(expected)
})

test.each([
  ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z'],
  ['2026-11-22T10:00:00.123456Z', '2026-11-22T10:00:00.123Z'],
  ['2026-11-22T12:00:00+02:00', '2026-11-22T10:00:00.000Z'],
  // Without a zone it is UTC, whatever the zone of this machine.
  ['2026-11-22T10:00:00', '2026-11-22T10:00:00.000Z'],
  ['2026-11-22T10:00:00.5', '2026-11-22T10:00:00.500Z'],
  ['soon', undefined],
])('a time of Dots written %s is %s', (text, expected) => {
  const zone = process.env.TZ
  process.env.TZ = 'Asia/Tokyo'
  try {
    expect(parseSession({ created: text, expiry: text })).toEqual(
      expected === undefined ? {} : { created: expected, expiry: expected },
    )
  } finally {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  }
})
