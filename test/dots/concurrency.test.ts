import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Call } from '../../src/dots/call.ts'
import { concurrencyLimiter, PURPOSES, type Purpose } from '../../src/dots/concurrency.ts'
import { manualClock } from './manual-clock.ts'

const LONG_MS = 60_000
const newCall = () => new Call(LONG_MS)

function make(max: number) {
  const { clock, forward } = manualClock()
  const limiter = concurrencyLimiter(max, clock)
  const acquire = async (purpose: Purpose, timeoutMs = LONG_MS, call = newCall()) =>
    limiter.acquire(purpose, timeoutMs, call)
  /** Takes slots as long as there are free ones. */
  const fill = async (purpose: Purpose) => {
    const releases: (() => void)[] = []
    for (;;) {
      const abort = newCall()
      const slot = acquire(purpose, LONG_MS, abort)
      if (limiter.waiting() === 0) {
        releases.push(await slot)
      } else {
        abort.abort()
        await slot.catch(() => {})
        return releases
      }
    }
  }
  return { limiter, acquire, fill, forward }
}

/** Waits until every promise that can settle has settled. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

test.each([
  [128, { click: 128, return: 64, background: 16 }],
  [8, { click: 8, return: 4, background: 1 }],
  [2, { click: 2, return: 1, background: 1 }],
  [1, { click: 1, return: 1, background: 1 }],
])('of %i slots each purpose has its share', async (max, shares) => {
  for (const purpose of PURPOSES) {
    const { fill } = make(max)
    expect(await fill(purpose)).toHaveLength(shares[purpose])
  }
})

test.each([2, 3, 4, 8, 16, 128])(
  'of %i slots the returns and the background together leave at least one to clicks',
  async (max) => {
    const { fill, limiter } = make(max)
    await fill('background')
    await fill('return')
    expect(limiter.inFlight()).toBeLessThan(max)
    expect((await fill('click')).length).toBeGreaterThan(0)
    expect(limiter.inFlight()).toBe(max)
  },
)

test('a free slot goes to a click first, then to a return, then to the background', async () => {
  const { acquire, fill, limiter } = make(4)
  const releases = await fill('click')
  const order: Purpose[] = []
  for (const purpose of ['background', 'return', 'click'] as const)
    void acquire(purpose).then(() => order.push(purpose))
  expect(limiter.waiting()).toBe(3)
  for (const release of releases) {
    release()
    await settled()
  }
  expect(order).toEqual(['click', 'return', 'background'])
})

test('calls for one purpose are served in their order', async () => {
  const { acquire, fill } = make(1)
  const [release] = await fill('click')
  const order: number[] = []
  const waiters = [0, 1, 2].map(async (n) => {
    const next = await acquire('click')
    order.push(n)
    next()
  })
  release?.()
  await Promise.all(waiters)
  expect(order).toEqual([0, 1, 2])
})

test('a call that is expected to wait too long is rejected at once, by how long the last calls took', async () => {
  const { acquire, fill, forward, limiter } = make(1)
  for (let n = 0; n < 100; n++) {
    const release = await acquire('click')
    forward(2_000)
    release()
  }
  await fill('click')
  const waiting = [acquire('click', 8_000), acquire('click', 8_000), acquire('click', 8_000)]
  for (const one of waiting) one.catch(() => {})
  expect(limiter.waiting()).toBe(3)
  await expect(acquire('click', 5_000)).rejects.toThrow('dots-queue-full')
  expect(limiter.waiting()).toBe(3)
})

test('a call that is aborted in the queue leaves it, and holds no slot', async () => {
  const { acquire, fill, limiter } = make(1)
  const [release] = await fill('click')
  const abort = newCall()
  const slot = acquire('click', LONG_MS, abort)
  abort.abort()
  await expect(slot).rejects.toThrow('dots-queue-full')
  await expect(acquire('click', LONG_MS, abort)).rejects.toThrow('dots-queue-full')
  expect([limiter.waiting(), limiter.inFlight()]).toEqual([0, 1])
  release?.()
  expect(limiter.inFlight()).toBe(0)
})

test('a slot is released once, however often', async () => {
  const { acquire, limiter } = make(2)
  const release = await acquire('click')
  await acquire('click')
  release()
  release()
  expect(limiter.inFlight()).toBe(1)
})

test('in any sequence of steps there are never more calls than allowed, and no slot is lost', async () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('acquire' as const), purpose: fc.constantFrom(...PURPOSES) }),
    fc.record({ what: fc.constantFrom('release' as const, 'abort' as const), which: fc.nat(50) }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.nat(500) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.array(step, { maxLength: 120 }),
      async (max, steps) => {
        const { limiter, acquire, forward } = make(max)
        const inside: (() => void)[] = []
        const outside: Call[] = []
        for (const one of steps) {
          if (one.what === 'acquire') {
            const abort = newCall()
            outside.push(abort)
            acquire(one.purpose, LONG_MS, abort).then(
              (release) => void inside.push(release),
              () => {},
            )
          } else if (one.what === 'wait') forward(one.ms)
          else if (one.what === 'release') inside.splice(one.which % Math.max(1, inside.length), 1)[0]?.()
          else outside[one.which % Math.max(1, outside.length)]?.abort()
          await Promise.resolve()
          expect(limiter.inFlight()).toBeLessThanOrEqual(max)
        }
        await settled()
        expect(limiter.inFlight()).toBe(inside.length)
        for (const abort of outside) abort.abort()
        await settled()
        for (const release of inside) release()
        expect([limiter.inFlight(), limiter.waiting()]).toEqual([0, 0])
      },
    ),
  )
})
