import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { en } from '../src/pages/text/en.ts'

const SOURCES = globSync('src/**/*.ts', { exclude: ['src/sandbox/**'] })
const GUIDE = readFileSync('docs/operating.md', 'utf8')

/** Where an event is named: as a field, as the constant for it, or as the argument of a function that logs it. */
const NAMED_EVENTS = [
  /\bevent(?::| =) ['`]([a-z]+\.[^'`]+)['`]/g,
  /\boptional\(\s*[\w.]*\blog,\s*'([^']+)'/g,
  /\bwarn\(\s*'([a-z]+\.[^']+)'/g,
]

test('the guide lists every log event of the sources, and no other', () => {
  const events = SOURCES.flatMap((path) => {
    const text = readFileSync(path, 'utf8')
    return NAMED_EVENTS.flatMap((pattern) => [...text.matchAll(pattern)].map(([, event = '']) => event))
  }).flatMap((event) =>
    event.includes('$' + '{state}')
      ? ['open', 'half-open', 'closed'].map((state) => event.replace(/\$\{state\}/, state))
      : event,
  )
  expect(events.length).toBeGreaterThan(40)
  expect(firstCells('Log events')).toEqual([...new Set(events)].sort())
})

test('every log line has an event', () => {
  const lines = SOURCES.flatMap((path) =>
    [
      ...readFileSync(path, 'utf8').matchAll(
        /\blog(?:\.(?:debug|info|warn|error|fatal)|\[[\w.]+\])\(\s*([\s\S]{0,30})/g,
      ),
    ].map(([, start]) => `${path}: ${start}`),
  )
  expect(lines.length).toBeGreaterThan(25)
  // The lines that are put together before are those of the circuit breaker and of a failed start.
  expect(lines.filter((line) => !/: (?:\{\s*event\b|\.\.\.(?:line|startFailure)\b)/.test(line))).toEqual([])
})

test('the guide lists every error code, and no other', () => {
  const codes = ['Dots', 'Requests'].flatMap((title) => firstCells(title))
  expect(codes.toSorted()).toEqual(Object.keys(en.errors).sort())
})

/** What stands in the first column of a section's table, sorted. */
function firstCells(title: string): string[] {
  const section = new RegExp(`^##+ ${title}\\n([\\s\\S]*?)(?=^##|(?![\\s\\S]))`, 'm').exec(GUIDE)?.[1] ?? ''
  return [...section.matchAll(/^\| `([^`]+)` *\|/gm)].map(([, cell = '']) => cell).sort()
}
