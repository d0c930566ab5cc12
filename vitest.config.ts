import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The last one has the last word: what was left out, and the line of counts.
    reporters: ['default', './test/left-out.ts'],
    // Each test drives a real server; a slow machine may need a while, a hung one must still end.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // A shared machine may stand still for seconds, which is nobody's bug; what fails twice is one.
    retry: process.env.CI === 'true' ? 1 : 0,
  },
})
