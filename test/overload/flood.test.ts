import { expect, test } from 'vitest'
import { counts, IS_FULL } from '../counts.ts'
import { type Sample, soak } from './soak.ts'

/** A slow sender gets its 408 after 10 to 12 seconds, so only the full count shows that. */
const SECONDS = counts(18, 6)
const MIN_SAMPLES = SECONDS / 2
/**
 * A heap of 128 MiB, code, buffers and the remembered IP addresses come to 300 MiB, however long the flood: a leak in
 * the heap ends the process, and a leak beside it exceeds this.
 */
const MAX_MIB = 384
/** A buyer waits much longer than that. */
const MAX_ANSWER_MS = 3_000

test('under a flood memory stays flat, the flooder is limited, and a buyer elsewhere is sent to the checkout', {
  timeout: 90_000,
}, async () => {
  const samples: Sample[] = []
  // With little room for garbage, what still grows is a leak.
  await soak(SECONDS, (sample) => void samples.push(sample), ['--max-old-space-size=128'])
  const total: Record<string, number> = {}
  for (const { answers } of samples)
    for (const [what, times] of Object.entries(answers)) total[what] = (total[what] ?? 0) + times
  const memory = samples.map(({ rssMiB }) => rssMiB)
  console.log(`flood: ${JSON.stringify(total)}\nMiB each second: ${memory.join(' ')}`)

  expect(samples.length).toBeGreaterThanOrEqual(MIN_SAMPLES)
  expect(total['429']).toBeGreaterThan(0)
  expect(total['bomb 431']).toBeGreaterThan(0)
  if (IS_FULL) expect(total['slow sender 408']).toBeGreaterThan(0)
  expect(total['500']).toBe(undefined)
  const buyers = samples.flatMap(({ buyer }) => (buyer === undefined ? [] : [buyer]))
  expect(buyers.map(({ status }) => status)).toEqual(buyers.map(() => 302))
  expect(Math.max(...buyers.map(({ ms }) => ms))).toBeLessThan(MAX_ANSWER_MS)
  expect(Math.max(...memory)).toBeLessThan(MAX_MIB)
})
