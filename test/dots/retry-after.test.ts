import { expect, test } from 'vitest'
import { parseRetryAfter } from '../../src/dots/wire.ts'

const NOW = new Date('2026-11-22T10:00:00.500Z')

test.each<[header: string | undefined, seconds: number | undefined]>([
  ['0', 0],
  ['1', 1],
  [' 30 ', 30],
  ['007', 7],
  ['120', 120],
  ['121', 120],
  ['999999999', 120],
  ['Sun, 22 Nov 2026 10:00:10 GMT', 10],
  ['Sun, 22 Nov 2026 10:00:01 GMT', 1],
  ['Sunday, 22-Nov-26 10:00:10 GMT', 10],
  ['Sun Nov 22 10:00:10 2026 GMT', 10],
  ['Mon, 22 Nov 2027 10:00:00 GMT', 120],
  ['Sun, 22 Nov 2026 10:00:00 GMT', undefined],
  ['Sat, 21 Nov 2026 10:00:00 GMT', undefined],
  ['Sun, 99 Nov 2026 10:00:00 GMT', undefined],
  ['Sunny', undefined],
  [undefined, undefined],
  ['', undefined],
  [' ', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['+5', undefined],
  ['1e2', undefined],
  ['0x10', undefined],
  ['5 seconds', undefined],
  ['5, 6', undefined],
  ['2026-11-22T10:00:10Z', undefined],
  ['99999999999999999999', undefined],
  ['soon', undefined],
  ['NaN', undefined],
  ['Infinity', undefined],
])('Retry-After %j is %s seconds', (header, seconds) => {
  expect(parseRetryAfter(header, NOW)).toBe(seconds)
})
