import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseSince, parseTime, UsageError } from '../../src/commands/command.ts'

const NOW = new Date('2026-11-22T10:00:00Z')

// Ten hours and more away from UTC: a time that is read by the machine's own clock is off, whatever the machine.
const { TZ } = process.env
beforeAll(() => {
  process.env.TZ = 'Pacific/Kiritimati'
})
afterAll(() => {
  if (TZ === undefined) delete process.env.TZ
  else process.env.TZ = TZ
})

test.each([
  ['2026-11-01', '2026-11-01T00:00:00.000Z'],
  ['2026-11-01T00:00', '2026-11-01T00:00:00.000Z'],
  ['2026-11-01 18:30', '2026-11-01T18:30:00.000Z'],
  ['2026-11-01T18:30:15.5', '2026-11-01T18:30:15.500Z'],
  ['2026-11-01T18:30:15Z', '2026-11-01T18:30:15.000Z'],
  ['2026-11-01t18:30:15z', '2026-11-01T18:30:15.000Z'],
  ['2026-11-01T18:30+02:00', '2026-11-01T16:30:00.000Z'],
  ['2026-11-01T18:30-0500', '2026-11-01T23:30:00.000Z'],
])('%s is a time of UTC where it names no zone', (text, time) => {
  expect(parseTime(text, NOW, 1)?.toISOString()).toBe(time)
  expect(parseSince(text).toISOString()).toBe(time)
})

test.each([
  '',
  'yesterday',
  '2026',
  '2026-11',
  '2026-13-01',
  '2026-11-01T25:00',
  '2026-11-01T',
  '2026-11-01 5pm',
])('%j is no time', (text) => {
  expect(parseTime(text, NOW, 1)).toBeUndefined()
  expect(() => parseSince(text)).toThrow(UsageError)
})

test('a period counts back from now, or on from it', () => {
  expect(parseTime('2h', NOW, -1)?.toISOString()).toBe('2026-11-22T08:00:00.000Z')
  expect(parseTime('2h', NOW, 1)?.toISOString()).toBe('2026-11-22T12:00:00.000Z')
  expect(parseTime('1d', NOW, -1)?.toISOString()).toBe('2026-11-21T10:00:00.000Z')
  expect(parseTime('30m', NOW, -1)?.toISOString()).toBe('2026-11-22T09:30:00.000Z')
})
