import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Breaker, type BreakerState, type Passage } from '../../src/dots/breaker.ts'
import { handClock } from './hand-clock.ts'

function make() {
  const { clock, forward } = handClock()
  const changes: BreakerState[] = []
  const breaker = new Breaker({ clock, changed: (state) => void changes.push(state) })
  const enter = (): Passage => {
    const passage = breaker.enter()
    if (passage === undefined) throw new Error('the breaker lets nobody through')
    return passage
  }
  const fail = (times: number) => {
    for (let n = 0; n < times; n++) enter().failed()
  }
  return { breaker, changes, forward, enter, fail }
}

test('four failed calls in a row are bad luck, the fifth opens it', () => {
  const { breaker, fail, changes } = make()
  fail(4)
  expect([breaker.state, breaker.secondsToWait]).toEqual(['closed', 0])
  fail(1)
  expect([breaker.state, breaker.secondsToWait]).toEqual(['open', 5])
  expect(breaker.enter()).toBe(undefined)
  expect(changes).toEqual(['open'])
})

test('a success in between starts the row anew', () => {
  const { breaker, enter, fail } = make()
  fail(4)
  enter().succeeded()
  fail(4)
  expect(breaker.state).toBe('closed')
})

test('half of the last twenty calls opens it, though never five in a row', () => {
  const { breaker, enter, fail } = make()
  for (let n = 0; n < 9; n++) {
    fail(1)
    enter().succeeded()
  }
  expect(breaker.state).toBe('closed')
  enter().succeeded()
  fail(1)
  expect(breaker.state).toBe('open')
})

test('what lies further back than twenty calls counts for nothing', () => {
  const { breaker, enter, fail } = make()
  for (let round = 0; round < 50; round++) {
    fail(2)
    for (let n = 0; n < 3; n++) enter().succeeded()
  }
  expect(breaker.state).toBe('closed')
})

test('after five seconds one call at a time passes as a probe, and a good one closes it', () => {
  const { breaker, forward, enter, fail, changes } = make()
  fail(5)
  forward(4_999)
  expect(breaker.enter()).toBe(undefined)
  forward(1)
  const probe = enter()
  expect(breaker.state).toBe('probing')
  expect(breaker.enter()).toBe(undefined)
  expect(breaker.secondsToWait).toBe(1)
  probe.succeeded()
  expect(breaker.state).toBe('closed')
  expect(changes).toEqual(['open', 'probing', 'closed'])
  fail(4)
  expect(breaker.state).toBe('closed')
})

test('each failed probe doubles the rest, up to a minute, and a good one makes it five seconds again', () => {
  const { breaker, forward, enter, fail } = make()
  fail(5)
  const rests: number[] = []
  for (let n = 0; n < 6; n++) {
    rests.push(breaker.secondsToWait)
    forward(breaker.secondsToWait * 1000)
    enter().failed()
  }
  expect(rests).toEqual([5, 10, 20, 40, 60, 60])
  forward(60_000)
  enter().succeeded()
  fail(5)
  expect(breaker.secondsToWait).toBe(5)
})

test('calls from before the opening say nothing: late successes do not close it, late failures do not open it', () => {
  const { breaker, forward, enter, fail } = make()
  const late = Array.from({ length: 10 }, () => enter())
  fail(5)
  late[0]?.succeeded()
  expect(breaker.state).toBe('open')
  forward(5_000)
  const probe = enter()
  late[1]?.succeeded()
  late[2]?.failed()
  expect(breaker.state).toBe('probing')
  probe.succeeded()
  for (const passage of late) passage.failed()
  expect(breaker.state).toBe('closed')
})

test('a probe that was not made leaves the place to the next one, without a longer rest', () => {
  const { breaker, forward, enter, fail } = make()
  fail(5)
  forward(5_000)
  enter().withdrawn()
  expect([breaker.state, breaker.secondsToWait]).toEqual(['open', 0])
  enter().failed()
  expect(breaker.secondsToWait).toBe(10)
})

test('a passage counts once, whatever it says afterwards', () => {
  const { breaker, enter } = make()
  const passage = enter()
  for (let n = 0; n < 9; n++) passage.failed()
  expect(breaker.state).toBe('closed')
})

test('in any history there is one probe at the most, and it can always close again', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('enter' as const) }),
    fc.record({
      what: fc.constantFrom('succeeded' as const, 'failed' as const, 'withdrawn' as const),
      which: fc.nat(20),
    }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.nat(70_000) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { breaker, forward, enter } = make()
      const under: { passage: Passage; isProbe: boolean }[] = []
      for (const one of steps) {
        if (one.what === 'wait') forward(one.ms)
        else if (one.what === 'enter') {
          const wasClosed = breaker.state === 'closed'
          const passage = breaker.enter()
          if (passage !== undefined) under.push({ passage, isProbe: !wasClosed })
        } else {
          const [taken] = under.splice(one.which % Math.max(1, under.length), 1)
          taken?.passage[one.what]()
        }
        expect(under.filter(({ isProbe }) => isProbe).length).toBeLessThanOrEqual(1)
        expect(breaker.secondsToWait).toBeLessThanOrEqual(60)
      }
      for (const { passage } of under) passage.withdrawn()
      forward(60_000)
      enter().succeeded()
      expect(breaker.state).toBe('closed')
    }),
  )
})
