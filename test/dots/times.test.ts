import { expect, test } from 'vitest'
import { parseSession } from '../../src/dots/messages.ts'

test.each([
  ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z'],
  ['2026-11-22T10:00:00.123456Z', '2026-11-22T10:00:00.123Z'],
  ['2026-11-22T12:00:00+02:00', '2026-11-22T10:00:00.000Z'],
  // Without a zone it is UTC, wherever this machine stands.
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
