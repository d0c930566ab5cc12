import { defineConfig } from 'vitest/config'

/** Tests that put a load on the machine or measure under one: they run one after another, when all others are through. */
const UNDER_LOAD = [
  'test/overload/*.test.ts',
  'test/simulation/*.test.ts',
  'test/faults/kill-and-start.test.ts',
  'test/faults/process-faults.test.ts',
  'test/faults/guard-faults.test.ts',
]

export default defineConfig({
  test: {
    // The last one prints what was left out, and the line of counts.
    reporters: ['default', './test/reporter.ts'],
    // Each test drives a real server; a slow machine may need a while, a hung one must still end.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Most of the time is spent waiting (timers, sweeps, processes), so a few more workers than processors pay.
    maxWorkers: 3,
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
