import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { counts } from '../counts.ts'

const LAST_SEED = counts(10, 2)
/** Ten seeds take a minute and a half on a machine with nothing else to do. */
const TIMEOUT_MS = 900_000

/** Runs that have found a fault. A change of the simulation itself gives a seed other troubles. */
const FAILED_BEFORE = [
  '--seed 3 --only bad-sessions,events-lost',
  '--seed 10 --only list-fails,flash-sale,events-lost',
  '--seed 7 --only clock-jump,bad-sessions',
  '--seed 3 --only list-limited',
  '--seed 7 --only foreign-events,restart,crash',
  '--seed 1 --only receiver-hangs',
  '--seed 51,74',
  '--seed 718,753,755 --processes 2',
]

test.concurrent.for([
  `--seed 1-${LAST_SEED}`,
  `--seed 901-${900 + LAST_SEED} --processes 2`,
  // The quick run has the two that cover most.
  ...FAILED_BEFORE.slice(0, counts(FAILED_BEFORE.length, 2)),
])('no rule is broken in the hours of %s', { timeout: TIMEOUT_MS }, async (options, { expect }) => {
  const run = await simulate(options)
  expect(run, run.output).toMatchObject({ code: 0 })
})

test('a seed gives the same run again, to the letter', { timeout: TIMEOUT_MS }, async () => {
  const digests = await Promise.all([1, 2].map(() => simulate('--seed 7 --hours 1')))
  const [first, second] = digests.map(({ output }) => /, ([0-9a-f]{16})$/m.exec(output)?.[1])
  expect(first).toBeDefined()
  expect(second).toBe(first)
})

async function simulate(options: string): Promise<{ code: number | null; output: string }> {
  const child = spawn('npx', ['node', 'test/simulation/simulate.ts', ...options.split(' ')], {
    stdio: 'pipe',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const [code] = await once(child, 'close')
  return { code, output }
}
