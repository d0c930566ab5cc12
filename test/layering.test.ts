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

/** Each room, and the rooms that it may use. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  catalog: [],
  dots: [],
  links: [],
  pages: [],
  sandbox: [],
  store: [],
  visitors: [],
  orders: ['dots', 'links', 'store'],
  checkout: ['catalog', 'dots', 'links', 'orders', 'pages', 'store', 'visitors'],
  shop: ['catalog', 'checkout', 'links', 'pages', 'store', 'visitors'],
  commands: ['catalog', 'checkout', 'dots', 'links', 'orders', 'pages', 'store'],
}

/** The files at the root that every room but the sandbox may use; they use no room themselves. */
const SHARED = [
  'src/config.ts',
  'src/errors.ts',
  'src/log.ts',
  'src/metadata.ts',
  'src/settings.ts',
  'src/web-url.ts',
]

test('every room has its place in the table, and no other has', () => {
  const rooms = new Set(SOURCES.map(roomOf).filter((room) => room !== ''))
  expect([...rooms].sort()).toEqual(Object.keys(MAY_USE).sort())
})

test.each(Object.keys(MAY_USE))('%s uses the rooms that it may use, and no other', (room) => {
  const strangers = IMPORTS.filter(({ from }) => roomOf(from) === room)
    .filter(isOurs)
    .filter(({ to }) => roomOf(to) !== '' && roomOf(to) !== room && !MAY_USE[room]?.includes(roomOf(to)))
  expect(strangers.map(show)).toEqual([])
})

test('the rooms know no file at the root but the shared ones, and these know no room', () => {
  const upwards = IMPORTS.filter(isOurs).filter(
    ({ from, to }) =>
      (roomOf(from) !== '' && roomOf(to) === '' && !SHARED.includes(to)) ||
      (SHARED.includes(from) && !SHARED.includes(to)),
  )
  expect(upwards.map(show)).toEqual([])
})

test('no room uses itself by way of another', () => {
  const uses = new Map<string, Set<string>>()
  for (const { from, to } of IMPORTS.filter(isOurs)) {
    const [user, used] = [roomOf(from), roomOf(to)]
    if (user === '' || used === '' || user === used) continue
    uses.set(user, (uses.get(user) ?? new Set()).add(used))
  }
  // What uses nothing that is still there is taken away, again and again: a circle is what stays.
  const left = new Set(uses.keys())
  let before = 0
  while (before !== left.size) {
    before = left.size
    for (const room of left)
      if (![...(uses.get(room) ?? [])].some((used) => left.has(used))) left.delete(room)
  }
  expect([...left]).toEqual([])
})

test('only routes, plugins, visitors, the sandbox and the root files know the web framework', () => {
  const mayKnow =
    /^src\/(?:[^/]+|sandbox\/[^/]+|visitors\/[^/]+|.+\/(?:[\w-]+-)?routes|.+\/plugin(?:\.ts)?)(?:\.ts)?$/
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

test('the top of the house is imported by nobody but the files that start it', () => {
  const tops = ['src/app.ts', 'src/server.ts', 'src/demo.ts']
  const found = IMPORTS.filter(({ to }) => tops.includes(to))
  expect(found.map(show).sort()).toEqual([
    'src/demo.ts imports src/app.ts',
    'src/server.ts imports src/app.ts',
  ])
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
