import { afterAll, test } from 'vitest'
import { guardFaults } from './guard-faults.ts'
import { storeFaults } from './store-faults.ts'
import { printMatrix, type TriedFault } from './matrix.ts'
const tried: TriedFault[] = []
test.each([...guardFaults, ...storeFaults])('$fault: $injected', { timeout: 60_000 }, async ({ fault, injected, run }) => {
  tried.push({ fault, injected, ...(await run()) })
})
afterAll(() => console.log(printMatrix(tried)))
