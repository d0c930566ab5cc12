import { expect, test } from 'vitest'
import { inSteps, optional, type Step, StoreError } from '../../src/store/store.ts'

const failure = new StoreError('SQLITE_FULL', undefined)

function recorder() {
  const lines: unknown[][] = []
  return { lines, error: (...line: unknown[]) => void lines.push(line) }
}

test('every query of a store runs as one step, with its parameters and its result', async () => {
  let steps = 0
  const step: Step = (work) => {
    steps += 1
    return work()
  }
  const queries = inSteps({ add: async (a: number, b: number) => a + b, name: async () => 'x' }, step)
  expect(await queries.add(1, 2)).toBe(3)
  expect(await queries.name()).toBe('x')
  expect(steps).toBe(2)
})

test('optional work that succeeds is its result, and logs nothing', async () => {
  const log = recorder()
  expect(await optional(log, 'checkout.count-failed', async () => 7)).toBe(7)
  expect(log.lines).toEqual([])
})

test('optional work that fails in the database gives undefined, and logs one line with the code', async () => {
  const log = recorder()
  const work = () => Promise.reject(failure)
  expect(await optional(log, 'checkout.count-failed', work, { checkout: 'c1' })).toBeUndefined()
  expect(log.lines).toEqual([
    [{ event: 'checkout.count-failed', code: 'SQLITE_FULL', checkout: 'c1' }, expect.any(String)],
  ])
})

test('any other error of optional work is thrown', async () => {
  const log = recorder()
  const bug = new TypeError('a bug')
  await expect(optional(log, 'checkout.count-failed', () => Promise.reject(bug))).rejects.toBe(bug)
  expect(log.lines).toEqual([])
})
