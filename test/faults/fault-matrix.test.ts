import { afterAll, expect, test } from 'vitest'
import { dotsFaults } from './dots-faults.ts'
import { guardFaults } from './guard-faults.ts'
import { FAULTS, printMatrix, type TriedFault } from './matrix.ts'
import { orderFaults } from './order-faults.ts'
import { processFaults } from './process-faults.ts'
import { storeFaults } from './store-faults.ts'
import { visitorFaults } from './visitor-faults.ts'

const cases = [
  ...dotsFaults,
  ...guardFaults,
  ...storeFaults,
  ...orderFaults,
  ...processFaults,
  ...visitorFaults,
]
const tried: TriedFault[] = []

test('each fault of the matrix is brought about at least once', () => {
  const untried = Object.keys(FAULTS).filter((fault) => !cases.some((one) => one.fault === fault))
  expect(untried).toEqual([])
})

test.each(cases)('$fault: $injected', { timeout: 60_000 }, async ({ fault, injected, run }) => {
  const row: TriedFault = { fault, injected, buyer: 'FAILED', store: 'FAILED' }
  tried.push(row)
  Object.assign(row, await run())
})

afterAll(() => {
  console.log(`\n${printMatrix(tried)}\n`)
})
