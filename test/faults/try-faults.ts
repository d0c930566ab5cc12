import { test } from 'vitest'
import type { FaultCase } from './matrix.ts'

/** A test for each case; its row goes into the table that the reporter prints. */
export function tryFaults(cases: readonly FaultCase[]): void {
  for (const { fault, injected, run } of cases) {
    test(`${fault}: ${injected}`, { timeout: 60_000 }, async ({ task }) => {
      task.meta.triedFault = { fault, injected, buyer: 'FAILED', store: 'FAILED' }
      task.meta.triedFault = { fault, injected, ...(await run()) }
    })
  }
}
