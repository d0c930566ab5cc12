import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }
import { ConfigSchema } from '../src/settings.ts'

const DOCUMENTS = globSync(['*.md', 'docs/**/*.md'])

/** The anchor of a heading, as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

describe.each(DOCUMENTS)('%s', (path) => {
  const text = readFileSync(path, 'utf8')

  test('names only files and folders that exist', () => {
    const named = [...text.matchAll(/\b(?:src|test|docs)\/[\w./-]*\w/g)].map(([name]) => name)
    // What a reader has to fill in is in capitals.
    const missing = named.filter((name) => !/[A-Z]{4}/.test(name) && !existsSync(name))
    expect(
      missing.filter((name) => !['src/store/postgres.ts', 'src/pages/text/de.ts'].includes(name)),
    ).toEqual([])
  })

  test('has no broken links', () => {
    const targets = [...text.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, target = '']) => target)
    for (const target of targets) {
      const [file = '', fragment] = target.split('#')
      const full = file === '' ? path : join(dirname(path), file)
      expect(existsSync(full), target).toBe(true)
      if (fragment === undefined) continue
      const headings = [...readFileSync(full, 'utf8').matchAll(/^#+ (.*)$/gm)].map(
        ([, heading = '']) => heading,
      )
      expect(headings.map(anchor), target).toContain(fragment)
    }
  })

  test('names only scripts that package.json has', () => {
    const scripts = [...text.matchAll(/\bnpm run ([a-z][\w:-]*)/g)].map(([, script = '']) => script)
    for (const script of scripts) expect(Object.keys(packageJson.scripts)).toContain(script)
  })
})

test('the README lists every setting, and no other', () => {
  const [, section = ''] = /^## Settings\n([\s\S]*?)^## /m.exec(readFileSync('README.md', 'utf8')) ?? []
  const cells = [...section.matchAll(/^\| (`[A-Z][^|]*)\|/gm)].map(([, cell = '']) => cell)
  const names = cells.flatMap((cell) => [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name))
  expect(names.toSorted()).toEqual(Object.keys(ConfigSchema.properties).sort())
})
