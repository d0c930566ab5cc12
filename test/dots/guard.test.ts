import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Call } from '../../src/dots/call.ts'
import { PURPOSES, type Purpose } from '../../src/dots/concurrency.ts'
import { callGuard } from '../../src/dots/guard.ts'
import { AppError } from '../../src/errors.ts'
import { manualClock } from './manual-clock.ts'
import { failureOf, recordedLog } from './servers.ts'

const DEADLINE_MS = 8_000
const down = () => new AppError('dots-unavailable')
const paused = (pauseSeconds: number) => new AppError('dots-rate-limited', { pauseSeconds })
const unreachable = () => new AppError('dots-unreachable')
const late = () => new AppError('dots-timeout')

function make({ maxInFlight = 8 } = {}) {
  const { clock, forward } = manualClock()
  const { log, lines } = recordedLog()
  const guard = callGuard({ maxInFlight, clock, random: () => 0, log })
  /** A call whose attempts end as listed, the last one repeatedly; undefined is a success. */
  const call = async (ends: readonly (AppError | undefined)[], purpose: Purpose = 'click') => {
    let attempts = 0
    const result = guard.call(purpose, DEADLINE_MS, async () => {
      const end = ends[Math.min(attempts++, ends.length - 1)]
      if (end !== undefined) throw end
      return 'done'
    })
    const error = await result.then(
      () => undefined,
      (reason: AppError) => reason,
    )
    return { attempts, error, code: error?.code }
  }
  return { guard, call, forward, lines }
}

describe('a retry', () => {
  test('is made once after an error that may be temporary, and its success counts', async () => {
    expect(await make().call([late(), undefined])).toMatchObject({ attempts: 2, error: undefined })
    expect(await make().call([late()])).toMatchObject({ attempts: 2, code: 'dots-timeout' })
  })

  test('is never made after any other error, which does not count against the breaker', async () => {
    const { call, guard } = make()
    const refused = () => new AppError('dots-request-refused')
    for (let n = 0; n < 30; n++) expect((await call([refused()])).attempts).toBe(1)
    expect(guard.status().breakers.click).toBe('closed')
  })

  test('is made after the pause that Dots requested, where that fits the deadline', async () => {
    const { guard, forward } = make()
    let attempts = 0
    const start = performance.now()
    const done = guard.call('click', DEADLINE_MS, async () => {
      if (attempts++ === 0) throw paused(0.3)
      return 'done'
    })
    await sleep(100)
    forward(400)
    expect(await done).toBe('done')
    expect(performance.now() - start).toBeGreaterThan(300)
  })

  test('is not made where the pause leaves no second of the deadline', async () => {
    expect(await make().call([paused(8)])).toMatchObject({ attempts: 1, code: 'dots-rate-limited' })
  })

  test('is not made in the last second of the deadline', async () => {
    const { guard, forward } = make()
    let attempts = 0
    await failureOf(
      guard.call('click', DEADLINE_MS, async () => {
        attempts++
        forward(7_000)
        throw down()
      }),
    )
    expect(attempts).toBe(1)
  })

  test('is within the budget: three where there are few calls, for each purpose', async () => {
    const { call } = make()
    const attempts: number[] = []
    // A conflict is no outage, so it does not open the breaker.
    const conflict = () => new AppError('dots-conflict')
    for (let n = 0; n < 5; n++) attempts.push((await call([conflict()])).attempts)
    expect(attempts).toEqual([2, 2, 2, 1, 1])
    expect((await call([conflict()], 'background')).attempts).toBe(2)
  })

  test('has no budget from calls that were not made', async () => {
    const { call, forward } = make()
    for (let n = 0; n < 3; n++) await call([down()])
    // The breaker is open: a hundred clicks call nobody.
    for (let n = 0; n < 100; n++) await call([undefined])
    forward(5_000)
    await call([undefined])
    const attempts: number[] = []
    for (let n = 0; n < 5; n++) attempts.push((await call([new AppError('dots-conflict')])).attempts)
    // Two of the three retries were made before the breaker opened.
    expect(attempts).toEqual([2, 1, 1, 1, 1])
  })

  test('keeps sessionMayExist of the first attempt', async () => {
    const { error } = await make().call([late(), unreachable()])
    expect([error?.code, error?.sessionMayExist]).toEqual(['dots-unreachable', true])
    expect((await make().call([unreachable(), unreachable()])).error?.sessionMayExist).toBe(false)
  })
})

describe('the breaker', () => {
  test('opens after five failures, rejects at once, closes after one successful probe, and logs each change', async () => {
    const { guard, call, forward, lines } = make()
    for (let n = 0; n < 3; n++) await call([down()])
    expect(guard.status().breakers).toEqual({ click: 'open', return: 'closed', background: 'closed' })
    const { attempts, error } = await call([undefined])
    expect([attempts, error?.code, error?.retryAfterSeconds]).toEqual([0, 'dots-breaker-open', 5])
    expect((await call([undefined], 'return')).error).toBe(undefined)
    forward(5_000)
    expect((await call([undefined])).error).toBe(undefined)
    expect(lines.map(({ event, purpose, level }) => [event, purpose, level])).toEqual([
      ['dots.breaker.open', 'click', 40],
      ['dots.breaker.half-open', 'click', 20],
      ['dots.breaker.closed', 'click', 30],
    ])
  })

  test('reports a long outage once, not with every probe', async () => {
    const { guard, call, forward, lines } = make()
    for (let n = 0; n < 3; n++) await call([down()], 'background')
    for (let n = 0; n < 20; n++) {
      forward(60_000)
      await call([down()], 'background')
    }
    expect(guard.status().breakers.background).toBe('open')
    expect(lines.filter(({ level }) => Number(level) > 20)).toMatchObject([{ event: 'dots.breaker.open' }])
  })

  test.each(['dots-blocked', 'dots-certificate-rejected'] as const)(
    'takes %s, which says nothing about Dots, neither as a failure nor as a success',
    async (code) => {
      const { guard, call, forward } = make()
      for (let n = 0; n < 30; n++) expect((await call([new AppError(code)])).attempts).toBe(1)
      expect(guard.status().breakers.click).toBe('closed')
      for (let n = 0; n < 3; n++) await call([down()])
      forward(5_000)
      expect((await call([new AppError(code)])).attempts).toBe(1)
      expect(guard.status().breakers.click).toBe('open')
      expect((await call([undefined])).error).toBe(undefined)
      expect(guard.status().breakers.click).toBe('closed')
    },
  )

  test('opened by a failure does not replace the error of that failure', async () => {
    const { call } = make()
    for (let n = 0; n < 2; n++) await call([down()])
    const { attempts, error } = await call([down()])
    expect([attempts, error?.code, error?.sessionMayExist]).toEqual([1, 'dots-unavailable', true])
  })

  test('ignores a requested pause: it does not open, and a probe that gets one does not close it', async () => {
    const { guard, call, forward } = make()
    for (let n = 0; n < 10; n++) {
      await call([paused(20)])
      forward(20_000)
    }
    expect(guard.status().breakers.click).toBe('closed')
    for (let n = 0; n < 3; n++) await call([down()])
    forward(5_000)
    await call([paused(20)])
    expect(guard.status().breakers.click).toBe('open')
    forward(20_000)
    expect((await call([undefined])).error).toBe(undefined)
    expect(guard.status().breakers.click).toBe('closed')
  })

  test('treats a Retry-After of 0 as none', async () => {
    const { guard, call } = make()
    for (let n = 0; n < 3; n++) await call([new AppError('dots-unavailable', { pauseSeconds: 0 })])
    expect(guard.status().breakers.click).toBe('open')
    expect(new AppError('dots-unavailable', { pauseSeconds: 0 }).retryAfterSeconds).toBeGreaterThan(0)
  })
})

describe('a pause', () => {
  test.each(PURPOSES)(
    'that Dots requested for %s applies to that alone, with the seconds that remain',
    async (purpose) => {
      const { guard, call, forward } = make()
      await call([paused(30)], purpose)
      forward(10_500)
      const { attempts, error } = await call([undefined], purpose)
      expect([attempts, error?.code, error?.retryAfterSeconds]).toEqual([0, 'dots-paused', 20])
      expect(guard.status().pausedSeconds).toEqual({ click: 0, return: 0, background: 0, [purpose]: 20 })
      for (const other of PURPOSES.filter((one) => one !== purpose))
        expect((await call([undefined], other)).error).toBe(undefined)
      forward(19_500)
      expect((await call([undefined], purpose)).error).toBe(undefined)
    },
  )

  test('is not shortened by a shorter one', async () => {
    const { guard } = make()
    const both = [paused(60), paused(10)].map((error) =>
      failureOf(guard.call('click', 1_000, () => Promise.reject(error))),
    )
    await Promise.all(both)
    expect(guard.status().pausedSeconds.click).toBe(60)
  })

  test('that begins while a call waits for a slot applies to that call too', async () => {
    const { guard, call } = make({ maxInFlight: 1 })
    const gate = Promise.withResolvers<never>()
    const first = failureOf(guard.call('click', DEADLINE_MS, () => gate.promise))
    const second = call([undefined])
    gate.reject(paused(30))
    await first
    expect(await second).toMatchObject({ attempts: 0, code: 'dots-paused' })
  })
})

describe('the deadline', () => {
  test('includes the wait for a slot: a call without one in time is dots-queue-full', async () => {
    const { guard } = make({ maxInFlight: 1 })
    const hanging = guard.call(
      'click',
      400,
      (call) =>
        new Promise((_resolve, reject) => {
          call.onAbort = () => reject(late())
        }),
    )
    const waiting = guard.call('click', 350, async () => 'never')
    const errors = await Promise.all([failureOf(hanging), failureOf(waiting)])
    expect(errors.map(({ code, sessionMayExist }) => [code, sessionMayExist])).toEqual([
      ['dots-timeout', true],
      ['dots-queue-full', false],
    ])
    expect([guard.status().inFlight, guard.status().waiting]).toEqual([0, 0])
  })
})

describe('abort', () => {
  const hang = (call: Call) =>
    new Promise<never>((_resolve, reject) => {
      call.onAbort = () => reject(new AppError('dots-connection-lost'))
    })

  test('ends calls in flight and in the queue, rejects later ones, and does not count against the breaker', async () => {
    const { guard, call } = make({ maxInFlight: 1 })
    const both = [guard.call('click', DEADLINE_MS, hang), guard.call('click', DEADLINE_MS, hang)]
    const errors = Promise.all(both.map(failureOf))
    await sleep(10)
    guard.abort()
    expect((await errors).map(({ code }) => code)).toEqual(['dots-connection-lost', 'dots-queue-full'])
    expect(await call([undefined])).toMatchObject({ attempts: 0, code: 'dots-queue-full' })
    expect(guard.status()).toMatchObject({ inFlight: 0, waiting: 0, breakers: { click: 'closed' } })
  })

  test('for the background does not affect buyers', async () => {
    const { guard, call } = make()
    const background = failureOf(guard.call('background', DEADLINE_MS, hang))
    await sleep(10)
    guard.abort(['background'])
    expect((await background).code).toBe('dots-connection-lost')
    expect((await call([undefined])).error).toBe(undefined)
  })
})

test('in any mix of calls the limit holds, and no slot is lost', async () => {
  const one = fc.record({
    purpose: fc.constantFrom(...PURPOSES),
    end: fc.constantFrom('good', 'down', 'nonsense', 'bug', 'hangs'),
    startsMs: fc.nat(20),
    takesMs: fc.nat(10),
    deadlineMs: fc.integer({ min: 5, max: 60 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(one, { maxLength: 30 }), async (max, calls) => {
      const { guard } = make({ maxInFlight: max })
      let [now, peak] = [0, 0]
      const all = calls.map(async ({ purpose, end, startsMs, takesMs, deadlineMs }) => {
        await sleep(startsMs)
        await guard.call(purpose, deadlineMs, async (call) => {
          const aborting = new AbortController()
          call.onAbort = () => aborting.abort()
          peak = Math.max(peak, ++now)
          try {
            await sleep(end === 'hangs' ? 60_000 : takesMs, undefined, aborting).catch(() => {
              throw late()
            })
            if (end === 'down') throw down()
            if (end === 'nonsense') throw new AppError('dots-invalid-response')
            if (end === 'bug') throw new TypeError('a bug')
          } finally {
            now--
          }
        })
      })
      await Promise.allSettled(all)
      expect(peak).toBeLessThanOrEqual(max)
      expect([now, guard.status().inFlight, guard.status().waiting]).toEqual([0, 0, 0])
    }),
    { numRuns: 40 },
  )
})
