import fc from 'fast-check'
import { expect, test } from 'vitest'
import { retryBudget } from '../../src/dots/retry-budget.ts'
import { manualClock } from './manual-clock.ts'

const SECOND = 1_000

function make() {
  const { clock, forward } = manualClock()
  const budget = retryBudget(clock)
  const call = (times: number) => {
    for (let n = 0; n < times; n++) budget.recordCall()
  }
  const takeAll = () => {
    let taken = 0
    while (budget.take()) taken++
    return taken
  }
  return { budget, call, takeAll, forward }
}

test('with few calls three retries are allowed in ten seconds', () => {
  const { call, takeAll } = make()
  call(1)
  expect(takeAll()).toBe(3)
})

test('with many calls a fifth of them may be retried', () => {
  const { call, takeAll } = make()
  call(100)
  expect(takeAll()).toBe(20)
  call(4)
  expect(takeAll()).toBe(0)
  call(1)
  expect(takeAll()).toBe(1)
})

test('only the last ten seconds count, of calls and of retries', () => {
  const { call, takeAll, forward } = make()
  call(100)
  forward(6 * SECOND)
  call(50)
  expect(takeAll()).toBe(30)
  forward(5 * SECOND)
  expect(takeAll()).toBe(0)
  forward(6 * SECOND)
  expect(takeAll()).toBe(3)
})

test('in any ten seconds there are never more retries than three, or a fifth of the calls then known', () => {
  const step = fc.record({ ms: fc.nat(3_000), calls: fc.nat(30), tries: fc.nat(10) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { budget, call, forward } = make()
      let at = 0
      const calls: number[] = []
      const retries: number[] = []
      for (const { ms, calls: more, tries } of steps) {
        at += ms
        forward(ms)
        call(more)
        for (let n = 0; n < more; n++) calls.push(at)
        for (let n = 0; n < tries; n++) if (budget.take()) retries.push(at)
        const recent = (times: number[]) => times.filter((time) => time >= at - 10 * SECOND).length
        const before = recent(retries)
        if (before > 3 && retries.at(-1) === at) expect(before).toBeLessThanOrEqual(recent(calls) * 0.2)
      }
    }),
  )
})
