import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CallCap, NoPlaceError, PURPOSES, type Purpose } from '../../src/dots/call-cap.ts'
import { handClock } from './hand-clock.ts'

const PATIENT = 60_000
const never = new AbortController().signal

function make(most: number) {
  const { clock, forward } = handClock()
  const cap = new CallCap(most, clock)
  const enter = (purpose: Purpose, patienceMs = PATIENT, signal = never) =>
    cap.enter(purpose, { patienceMs, signal })
  /** Enters as often as it goes without waiting. */
  const fill = async (purpose: Purpose, most = 1_000) => {
    const leaves: (() => void)[] = []
    for (let n = 0; n < most; n++) {
      const { waiting } = cap
      const abort = new AbortController()
      const place = enter(purpose, PATIENT, abort.signal)
      if (cap.waiting > waiting) {
        abort.abort()
        await place.catch(() => {})
        break
      }
      leaves.push(await place)
    }
    return leaves
  }
  return { cap, enter, fill, forward }
}

/** Lets everything that can go on go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

test.each([
  [128, { click: 128, return: 64, background: 16 }],
  [8, { click: 8, return: 4, background: 1 }],
  [2, { click: 2, return: 1, background: 1 }],
  [1, { click: 1, return: 1, background: 1 }],
])('of %i places each purpose has its share', async (most, shares) => {
  for (const purpose of PURPOSES) {
    const { fill } = make(most)
    expect(await fill(purpose)).toHaveLength(shares[purpose])
  }
})

test.each([2, 3, 4, 8, 16, 128])(
  'of %i places the returns and the background together leave at least one to clicks',
  async (most) => {
    const { fill, cap } = make(most)
    await fill('background')
    await fill('return')
    expect(cap.inFlight).toBeLessThan(most)
    expect((await fill('click')).length).toBeGreaterThan(0)
    expect(cap.inFlight).toBe(most)
  },
)

test('a place that is free goes to a click first, then to a return, then to the background', async () => {
  const { enter, fill, cap } = make(4)
  const leaves = await fill('click')
  const order: Purpose[] = []
  for (const purpose of ['background', 'return', 'click'] as const)
    void enter(purpose).then(() => order.push(purpose))
  expect(cap.waiting).toBe(3)
  for (const leave of leaves) {
    leave()
    await settled()
  }
  expect(order).toEqual(['click', 'return', 'background'])
})

test('of one purpose who comes first is served first', async () => {
  const { enter, fill } = make(1)
  const [leave] = await fill('click')
  const order: number[] = []
  const waiters = [0, 1, 2].map(async (n) => {
    const next = await enter('click')
    order.push(n)
    next()
  })
  leave?.()
  await Promise.all(waiters)
  expect(order).toEqual([0, 1, 2])
})

test('who would surely wait too long is turned away at once, by what calls take these days', async () => {
  const { enter, fill, forward, cap } = make(1)
  for (let n = 0; n < 100; n++) {
    const leave = await enter('click')
    forward(2_000)
    leave()
  }
  await fill('click')
  const waiting = [enter('click', 8_000), enter('click', 8_000), enter('click', 8_000)]
  for (const one of waiting) one.catch(() => {})
  expect(cap.waiting).toBe(3)
  await expect(enter('click', 5_000)).rejects.toBeInstanceOf(NoPlaceError)
  expect(cap.waiting).toBe(3)
})

test('who has waited until the deadline leaves the queue, and takes nothing along', async () => {
  const { enter, fill, cap } = make(1)
  const [leave] = await fill('click')
  const abort = new AbortController()
  const place = enter('click', PATIENT, abort.signal)
  abort.abort()
  await expect(place).rejects.toBeInstanceOf(NoPlaceError)
  await expect(enter('click', PATIENT, AbortSignal.abort())).rejects.toBeInstanceOf(NoPlaceError)
  expect([cap.waiting, cap.inFlight]).toEqual([0, 1])
  leave?.()
  expect(cap.inFlight).toBe(0)
})

test('a place is given back once, however often', async () => {
  const { enter, cap } = make(2)
  const leave = await enter('click')
  await enter('click')
  leave()
  leave()
  expect(cap.inFlight).toBe(1)
})

test('in any history there are never more calls than allowed, nobody waits beside a free place, and none is lost', async () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('enter' as const), purpose: fc.constantFrom(...PURPOSES) }),
    fc.record({ what: fc.constantFrom('leave' as const, 'abort' as const), which: fc.nat(50) }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.nat(500) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.array(step, { maxLength: 120 }),
      async (most, steps) => {
        const { cap, enter, forward } = make(most)
        const inside: (() => void)[] = []
        const outside: AbortController[] = []
        for (const one of steps) {
          if (one.what === 'enter') {
            const abort = new AbortController()
            outside.push(abort)
            enter(one.purpose, PATIENT, abort.signal).then(
              (leave) => void inside.push(leave),
              () => {},
            )
          } else if (one.what === 'wait') forward(one.ms)
          else if (one.what === 'leave') inside.splice(one.which % Math.max(1, inside.length), 1)[0]?.()
          else outside[one.which % Math.max(1, outside.length)]?.abort()
          await Promise.resolve()
          expect(cap.inFlight).toBeLessThanOrEqual(most)
        }
        await settled()
        expect(cap.inFlight).toBe(inside.length)
        for (const abort of outside) abort.abort()
        await settled()
        for (const leave of inside) leave()
        expect([cap.inFlight, cap.waiting]).toEqual([0, 0])
      },
    ),
  )
})
