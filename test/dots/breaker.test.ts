import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BreakerState, circuitBreaker } from '../../src/dots/breaker.ts'
import { manualClock } from './manual-clock.ts'

function make() {
  const { clock, forward } = manualClock()
  const changes: BreakerState[] = []
  const breaker = circuitBreaker(clock, (state) => void changes.push(state))
  const enter = () => breaker.enter()
  const fail = (times: number) => {
    for (let n = 0; n < times; n++) enter()('failed')
  }
  return { breaker, changes, forward, enter, fail }
}

test('four failed calls in a row do not open it, the fifth does', () => {
  const { breaker, enter, fail, changes } = make()
  fail(4)
  expect([breaker.state(), breaker.secondsToWait()]).toEqual(['closed', 0])
  fail(1)
  expect([breaker.state(), breaker.secondsToWait()]).toEqual(['open', 5])
  expect(enter).toThrow('dots-breaker-open')
  expect(changes).toEqual(['open'])
})

test('a success in between resets the count of failures in a row', () => {
  const { breaker, enter, fail } = make()
  fail(4)
  enter()('succeeded')
  fail(4)
  expect(breaker.state()).toBe('closed')
})

test('half of the last twenty calls opens it, though never five in a row', () => {
  const { breaker, enter, fail } = make()
  for (let n = 0; n < 9; n++) {
    fail(1)
    enter()('succeeded')
  }
  expect(breaker.state()).toBe('closed')
  enter()('succeeded')
  fail(1)
  expect(breaker.state()).toBe('open')
})

test('failures before the last twenty calls do not count', () => {
  const { breaker, enter, fail } = make()
  for (let round = 0; round < 50; round++) {
    fail(2)
    for (let n = 0; n < 3; n++) enter()('succeeded')
  }
  expect(breaker.state()).toBe('closed')
})

test('after five seconds one call at a time is allowed as a probe, and a successful one closes it', () => {
  const { breaker, forward, enter, fail, changes } = make()
  fail(5)
  forward(4_999)
  expect(enter).toThrow('dots-breaker-open')
  forward(1)
  const probe = enter()
  expect(breaker.state()).toBe('half-open')
  expect(enter).toThrow('dots-breaker-open')
  expect(breaker.secondsToWait()).toBe(1)
  probe('succeeded')
  expect(breaker.state()).toBe('closed')
  expect(changes).toEqual(['open', 'half-open', 'closed'])
  fail(4)
  expect(breaker.state()).toBe('closed')
})

test('each failed probe doubles the open period, up to a minute, and a successful one resets it to five seconds', () => {
  const { breaker, forward, enter, fail } = make()
  fail(5)
  const periods: number[] = []
  for (let n = 0; n < 6; n++) {
    periods.push(breaker.secondsToWait())
    forward(breaker.secondsToWait() * 1000)
    enter()('failed')
  }
  expect(periods).toEqual([5, 10, 20, 40, 60, 60])
  forward(60_000)
  enter()('succeeded')
  fail(5)
  expect(breaker.secondsToWait()).toBe(5)
})

test('calls from before the opening do not count: late successes do not close it, nor do late failures open it', () => {
  const { breaker, forward, enter, fail } = make()
  const late = Array.from({ length: 10 }, () => enter())
  fail(5)
  late[0]?.('succeeded')
  expect(breaker.state()).toBe('open')
  forward(5_000)
  const probe = enter()
  late[1]?.('succeeded')
  late[2]?.('failed')
  expect(breaker.state()).toBe('half-open')
  probe('succeeded')
  for (const permit of late) permit('failed')
  expect(breaker.state()).toBe('closed')
})

test('an ignored probe is followed by another one, without a longer open period', () => {
  const { breaker, forward, enter, fail } = make()
  fail(5)
  forward(5_000)
  enter()('ignored')
  expect([breaker.state(), breaker.secondsToWait()]).toEqual(['open', 0])
  enter()('failed')
  expect(breaker.secondsToWait()).toBe(10)
})

test('a permit counts once, whatever is reported later', () => {
  const { breaker, enter } = make()
  const permit = enter()
  for (let n = 0; n < 9; n++) permit('failed')
  expect(breaker.state()).toBe('closed')
})

test('in any sequence of steps there is at most one probe, and the breaker can always close again', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('enter' as const) }),
    fc.record({
      what: fc.constantFrom('succeeded' as const, 'failed' as const, 'ignored' as const),
      which: fc.nat(20),
    }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.nat(70_000) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { breaker, forward, enter } = make()
      const inFlight: { permit: ReturnType<typeof enter>; isProbe: boolean }[] = []
      for (const one of steps) {
        if (one.what === 'wait') forward(one.ms)
        else if (one.what === 'enter') {
          const wasClosed = breaker.state() === 'closed'
          if (breaker.secondsToWait() === 0) inFlight.push({ permit: enter(), isProbe: !wasClosed })
          else expect(enter).toThrow('dots-breaker-open')
        } else {
          const [taken] = inFlight.splice(one.which % Math.max(1, inFlight.length), 1)
          taken?.permit(one.what)
        }
        expect(inFlight.filter(({ isProbe }) => isProbe).length).toBeLessThanOrEqual(1)
        expect(breaker.secondsToWait()).toBeLessThanOrEqual(60)
      }
      for (const { permit } of inFlight) permit('ignored')
      forward(60_000)
      enter()('succeeded')
      expect(breaker.state()).toBe('closed')
    }),
  )
})
