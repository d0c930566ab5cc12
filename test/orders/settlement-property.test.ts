import fc from 'fast-check'
import { test } from 'vitest'
import { counts } from '../counts.ts'
import { startReceiver } from './receiver.ts'
import { openScenario, SESSIONS, type Step } from './scenario.ts'

const RUNS = counts(40, 6)

const session = fc.nat({ max: SESSIONS - 1 })
const kind = fc.constantFrom(
  'stored' as const,
  'stored' as const,
  'no-response' as const,
  'not-stored' as const,
)
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
  { weight: 1, arbitrary: fc.record({ what: fc.constant('dots-reports-expired' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('receiver-fails' as const) }) },
)

test('each paid session ends as one complete checkout and one announcement, in whatever order things happen', async () => {
  const receiver = await startReceiver()
  const seed = Math.trunc(Math.random() * 2 ** 31)
  console.log(`settlement property: ${RUNS} runs, seed ${seed}`)
  await fc.assert(
    fc.asyncProperty(
      fc.array(kind, { minLength: SESSIONS, maxLength: SESSIONS }),
      fc.array(step, { minLength: 4, maxLength: 14 }),
      async (kinds, steps) => {
        const scenario = await openScenario(receiver, kinds)
        try {
          for (const one of steps) await scenario.play(one)
          await scenario.expectEachPaidOnce()
        } finally {
          await scenario.close()
        }
      },
    ),
    // Each run is a whole service, so there is no time to shrink a failure.
    { numRuns: RUNS, seed, endOnFailure: true },
  )
}, 240_000)
