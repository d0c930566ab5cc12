import { expect, test } from 'vitest'
import { type Sample, soak } from './soak.ts'

const SECONDS = 18
/** Enough to see it at work. */
const LEAST_SAMPLES = 10
/**
 * A heap of 128 MiB, code, buffers and the memory of addresses come to 300 MiB, however long the flood: a heap that
 * leaks ends the process, and what leaks beside the heap goes past this.
 */
const MOST_MIB = 384
/** A buyer gives up much later than that. */
const PATIENCE_MS = 3_000

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

  expect(samples.length).toBeGreaterThan(LEAST_SAMPLES)
  expect(total['429']).toBeGreaterThan(100)
  expect(total['bomb 431']).toBeGreaterThan(0)
  expect(total['slow sender closed']).toBeGreaterThan(0)
  expect(total['500']).toBe(undefined)
  const buyers = samples.flatMap(({ buyer }) => (buyer === undefined ? [] : [buyer]))
  expect(buyers.map(({ status }) => status)).toEqual(buyers.map(() => 302))
  expect(Math.max(...buyers.map(({ ms }) => ms))).toBeLessThan(PATIENCE_MS)
  expect(Math.max(...memory)).toBeLessThan(MOST_MIB)
})
