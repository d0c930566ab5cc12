import fc from 'fast-check'
import { test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { openShopkeeping, SESSIONS, type Step } from './shopkeeping.ts'

const RUNS = 40

const session = fc.nat({ max: SESSIONS - 1 })
/** What the store knows of a click: all, not what Dots answered, or nothing at all. */
const kind = fc.constantFrom('heard' as const, 'heard' as const, 'unheard' as const, 'unwritten' as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('pay' as const), session }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('expire' as const), session }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('return' as const), session }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('webhook' as const), session }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('replay' as const), session }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('doubled' as const), session }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('storm' as const), session }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('clock' as const),
      seconds: fc.integer({ min: 1, max: 2_000 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('dots-fails' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('dots-lies' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('receiver-fails' as const) }) },
)

test('each paid session ends as one complete checkout and one announcement, in whatever order it is told', async () => {
  const receiver = await startReceiver()
  await fc.assert(
    fc.asyncProperty(
      fc.array(kind, { minLength: SESSIONS, maxLength: SESSIONS }),
      fc.array(step, { minLength: 4, maxLength: 14 }),
      async (kinds, steps) => {
        const shopkeeping = await openShopkeeping(receiver, kinds)
        try {
          for (const one of steps) await shopkeeping.play(one)
          await shopkeeping.expectEachPaidOnce()
        } finally {
          await shopkeeping.close()
        }
      },
    ),
    // A failure is printed with its seed and path; each run is a whole service, so there is no time to shrink.
    { numRuns: RUNS, endOnFailure: true },
  )
}, 120_000)
