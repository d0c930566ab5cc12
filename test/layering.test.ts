import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const SOURCES = globSync('src/**/*.ts').map((path) => path.replaceAll('\\', '/'))

interface Import {
  from: string
  /** A path under `src/`, or the name of a package. */
  to: string
}

/** The room that a source stands in; '' for the files at the root. */
function roomOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? ''
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8')
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^'"`;]*?(?:from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
  )
  return [...found].map(([, named = '', called = '']) => {
    const target = named || called
    return { from: path, to: target.startsWith('.') ? normalize(join(dirname(path), target)) : target }
  })
}

const IMPORTS = SOURCES.flatMap(importsOf)
const show = ({ from, to }: Import) => `${from} imports ${to}`
const isOurs = ({ to }: Import) => to.startsWith('src/')

test('the imports are read at all', () => {
  expect(IMPORTS.map(show)).toContain('src/server.ts imports src/app.ts')
  expect(IMPORTS.map(show)).toContain('src/app.ts imports fastify')
  expect(IMPORTS.length).toBeGreaterThan(100)
  for (const { to } of IMPORTS.filter(isOurs)) expect(SOURCES).toContain(to)
})

test.each(['catalog', 'dots', 'store', 'links'])(
  '%s knows only itself, the settings and the errors',
  (room) => {
    const shared = ['src/config.ts', 'src/settings.ts', 'src/errors.ts']
    const strangers = IMPORTS.filter(({ from }) => roomOf(from) === room)
      .filter(isOurs)
      .filter(({ to }) => roomOf(to) !== room && !shared.includes(to))
    expect(strangers.map(show)).toEqual([])
  },
)

test('only routes, plugins, visitors and the root files know the web framework', () => {
  const mayKnow = /^src\/(?:[^/]+|visitors\/[^/]+|.+\/(?:[\w-]+-)?routes|.+\/plugin(?:\.ts)?)(?:\.ts)?$/
  const knowers = IMPORTS.filter(({ to }) => /^(?:fastify\b|@fastify\/)/.test(to))
  expect(knowers.length).toBeGreaterThan(5)
  expect(knowers.filter(({ from }) => !mayKnow.test(from)).map(show)).toEqual([])
})

test('the sandbox knows no other room, and only the demo knows the sandbox', () => {
  const crossing = IMPORTS.filter(isOurs).filter(
    ({ from, to }) => (roomOf(from) === 'sandbox') !== (roomOf(to) === 'sandbox'),
  )
  expect(crossing.filter(({ from }) => from !== 'src/demo.ts').map(show)).toEqual([])
})

test('the root files above the rooms are imported by nobody below', () => {
  const tops = ['src/app.ts', 'src/server.ts', 'src/demo.ts']
  const upwards = IMPORTS.filter(({ from, to }) => tops.includes(to) && roomOf(from) !== '')
  expect(upwards.map(show)).toEqual([])
})

test('only programs read the environment', () => {
  const programs = [
    'src/config.ts',
    'src/server.ts',
    'src/demo.ts',
    'src/catalog/check-catalog.ts',
    'src/commands/command.ts',
    'src/sandbox/main.ts',
  ]
  const readers = SOURCES.filter((path) => /\bprocess\s*\.\s*env\b(?!:)/.test(code(path)))
  // Each further command line tool that reads settings is listed here by name.
  expect(readers.filter((path) => !programs.includes(path))).toEqual([])
  expect(readers).toContain('src/server.ts')
})

test('only the process itself is ended by the files that run one', () => {
  const enders = SOURCES.filter((path) => /\bprocess\s*\.\s*exit\(/.test(code(path))).sort()
  expect(enders).toEqual(['src/commands/command.ts', 'src/stop-on-signals.ts'])
})

/** The source without its comments. */
function code(path: string): string {
  return readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}
