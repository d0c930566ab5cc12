import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'
import { printMatrix } from './faults/matrix.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** What switches a suite on that this machine cannot run, as a command or a setting. */
    switchedOnBy?: string
  }
}

/** With it, what a suite needs must be there: nothing is left out in silence where a release is decided. */
export const REQUIRE_ALL = process.env.REQUIRE_ALL_SUITES === '1'

/**
 * Ends a run with the suites that this machine could not run and what would switch each on, and with one line of
 * counts for people and scripts: `N passed, N failed, N skipped`.
 */
export default class RunSummary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      // What breaks before its tests, a file that cannot be loaded or a hook, leaves none of them to count as failed.
      counts.failed += module.errors().length
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length
      for (const test of module.children.allTests()) counts[test.result().state] += 1
    }
    const allTests = modules.flatMap(({ children }) => [...children.allTests()])
    const tried = allTests.flatMap((test) => test.meta().triedFault ?? [])
    if (tried.length > 0) console.log(`\n${printMatrix(tried)}\n`)
    const lines = Array.from(leftOut(modules), ([suite, need]) => `  ${suite}\n    to run it: ${need}`)
    if (lines.length > 0) console.log(`\nLeft out on this machine:\n${lines.join('\n')}\n`)
    const { passed, failed, skipped, pending } = counts
    console.log(`${passed} passed, ${failed + pending} failed, ${skipped} skipped`)
  }
}

/** The skipped tests by what they need: each suite once. */
function leftOut(modules: readonly TestModule[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const module of modules) {
    for (const test of module.children.allTests('skipped')) {
      const suite = suiteOf(test)
      if (module.errors().length > 0 || (suite?.errors().length ?? 0) > 0) continue
      const name = `${module.relativeModuleId}${suite === undefined ? '' : `: ${suite.fullName}`}`
      const need = test.meta().switchedOnBy ?? suite?.meta().switchedOnBy ?? 'see the condition in the file'
      found.set(name, need)
    }
  }
  return found
}

function suiteOf(test: TestCase): TestSuite | undefined {
  return test.parent.type === 'suite' ? test.parent : undefined
}
