import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { counts } from '../counts.ts'

const LAST_SEED = counts(10, 2)
const TIMEOUT_MS = 300_000

/** Runs that found a fault once, with their options. A change of the simulation itself gives a seed other faults. */
const FAILED_BEFORE: readonly (readonly string[])[] = []

test.for([
  ['--seed', `1-${LAST_SEED}`],
  ['--seed', `101-${100 + LAST_SEED}`, '--processes', '2'],
  ...FAILED_BEFORE,
])('no rule is broken in the hours of %j', { timeout: TIMEOUT_MS }, async (options) => {
  const run = await simulate(...options)
  expect(run, run.output).toMatchObject({ code: 0 })
})

test('a seed gives the same run again, to the letter', { timeout: TIMEOUT_MS }, async () => {
  const digests = await Promise.all([1, 2].map(() => simulate('--seed', '7', '--hours', '1')))
  const [first, second] = digests.map(({ output }) => /, ([0-9a-f]{16})$/m.exec(output)?.[1])
  expect(first).toBeDefined()
  expect(second).toBe(first)
})

async function simulate(...options: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn('npx', ['node', 'test/simulation/simulate.ts', ...options], { stdio: 'pipe' })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const [code] = await once(child, 'close')
  return { code, output }
}
