import { statfsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { IS_FULL } from './test/counts.ts'

/** Tests that put a load on the machine or measure under one: they run one after another, when all others have ended. */
const UNDER_LOAD = [
  'test/overload/*.test.ts',
  'test/faults/crowd-faults.test.ts',
  ...(IS_FULL ? ['test/simulation/*.test.ts', 'test/faults/kill-and-start.test.ts'] : []),
]
const MEMORY = '/dev/shm'
/** Docker's own default of 64 MB is too small for the databases of all workers. */
const MIN_MEMORY_BYTES = 512 * 1024 * 1024

export default defineConfig({
  test: {
    // The second reporter prints which suites were skipped, and the totals.
    reporters: ['default', './test/reporter.ts'],
    // Each test uses a real server; a slow machine may need a while, a hung one must still end.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A condition that is waited for may come late on a busy machine.
    expect: { poll: { timeout: 10_000 } },
    // No test replaces a module, so the files of one worker can share them: loading them is a third of the time otherwise.
    isolate: false,
    // Hundreds of databases are created, and each waits for the disk a few times.
    env: hasRoomInMemory() ? { TMPDIR: MEMORY } : {},
    // Most of the time is spent waiting (timers, processes), so more workers than processors are faster.
    maxWorkers: 3,
    // Tests of one file that run together are programs that keep a processor busy each.
    maxConcurrency: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'suites',
          include: ['test/**/*.test.ts'],
          exclude: UNDER_LOAD,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'under-load',
          include: UNDER_LOAD,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

function hasRoomInMemory(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    return bavail * bsize >= MIN_MEMORY_BYTES
  } catch {
    return false
  }
}
