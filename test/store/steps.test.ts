import { expect, test } from 'vitest'
import { failureOf, type RunSteps, type Step, stepQueue } from '../../src/store/steps.ts'
import { optional, StoreError } from '../../src/store/store.ts'

const failure = new StoreError('SQLITE_FULL', undefined)

const step = (query: string): Step => ['checkouts', query, 0, []]

/** A queue whose groups end when `end` is called; each step results in its own name. */
function heldQueue() {
  const groups: string[][] = []
  let ends: (() => void)[] = []
  const run: RunSteps = async (steps) => {
    groups.push(steps.map(([, query]) => query))
    await new Promise<void>((resolve) => ends.push(resolve))
    return steps.map(([, query]) =>
      query === 'bad' ? { failure: failureOf(failure) } : { result: `${query} is done` },
    )
  }
  const queue = stepQueue(run)
  return {
    groups,
    queue,
    call: (query: string) => queue.call(step(query)),
    /** Ends the group under way, when it has begun. */
    async end() {
      await expect.poll(() => ends.length).toBe(1)
      const [first] = ends
      ends = []
      first?.()
    },
  }
}

test('steps of one turn go together, and those that come meanwhile when they are done', async () => {
  const { call, end, groups } = heldQueue()
  const first = Promise.all([call('a'), call('b')])
  await expect.poll(() => groups).toEqual([['a', 'b']])
  const later = Promise.all([call('c'), call('d')])
  expect(groups).toHaveLength(1)
  await end()
  expect(await first).toEqual(['a is done', 'b is done'])
  await expect
    .poll(() => groups)
    .toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
  await end()
  expect(await later).toEqual(['c is done', 'd is done'])
})

test('a step that fails takes no other along', async () => {
  const { call, end } = heldQueue()
  const calls = Promise.allSettled([call('a'), call('bad'), call('b')])
  await end()
  expect(await calls).toEqual([
    { status: 'fulfilled', value: 'a is done' },
    { status: 'rejected', reason: expect.objectContaining({ code: 'SQLITE_FULL' }) },
    { status: 'fulfilled', value: 'b is done' },
  ])
})

test('a queue is drained when no step is left, those that came meanwhile included', async () => {
  const { call, end, queue } = heldQueue()
  let isDrained = false
  const first = call('a')
  const drained = queue.drain().then(() => {
    isDrained = true
  })
  const second = call('b').then(() => call('c'))
  await end()
  await first
  expect(isDrained).toBe(false)
  await Promise.all([second, end()])
  await drained
})

function recorder() {
  const lines: unknown[][] = []
  return { lines, error: (...line: unknown[]) => void lines.push(line) }
}

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
