import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const SOURCES = globSync('src/**/*.{ts,js}').map((path) => path.replaceAll('\\', '/'))

interface Import {
  from: string
  /** A path under `src/`, or the name of a package. */
  to: string
  /** Gone when the program runs. */
  isType: boolean
}

/** The part that a source belongs to; '' for the files at the root. */
function partOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? ''
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8')
  const found = text.matchAll(
    /^\s*(?:import|export)\b([^'"`;]*?)(?:from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
  )
  return [...found].map(([, what = '', named = '', called = '']) => {
    const target = named || called
    const to = target.startsWith('.') ? normalize(join(dirname(path), target)) : target
    const names = /\{([^}]*)\}/.exec(what)?.[1]?.split(',') ?? []
    const isType =
      /^\s*type\b/.test(what) ||
      (names.length > 0 && names.every((name) => name.trim() === '' || /^\s*type\s/.test(name)))
    return { from: path, to, isType }
  })
}

const IMPORTS = SOURCES.flatMap(importsOf)
const OURS = IMPORTS.filter(({ to }) => to.startsWith('src/'))
const show = ({ from, to }: Import) => `${from} imports ${to}`

test('the imports are found', () => {
  expect(IMPORTS.map(show)).toContain('src/server.ts imports src/app.ts')
  expect(IMPORTS.map(show)).toContain('src/app.ts imports fastify')
  expect(IMPORTS.length).toBeGreaterThan(100)
  for (const { to } of OURS) expect(SOURCES).toContain(to)
})

/** Each part, and the parts that it may use. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  catalog: [],
  dots: [],
  links: [],
  pages: [],
  sandbox: [],
  store: [],
  http: ['pages'],
  orders: ['catalog', 'dots', 'links', 'store'],
  checkout: ['catalog', 'dots', 'links', 'orders', 'pages', 'store'],
  shop: ['catalog', 'checkout', 'links', 'orders', 'pages', 'store'],
  commands: ['catalog', 'links', 'orders', 'pages', 'store'],
}
/** What a part may know by its types alone. */
const MAY_KNOW: Readonly<Record<string, readonly string[]>> = { http: ['catalog', 'dots', 'store'] }

/** The files at the root that every part but the sandbox may use; they use no part themselves. */
const SHARED = [
  'config',
  'dispatcher',
  'environment',
  'errors',
  'metadata',
  'plain-form',
  'settings',
  'utf8',
  'web-url',
].map((name) => `src/${name}.ts`)
const NODE_VERSION = 'src/node-version.js'

describe('modules', () => {
  test('every part is in the table, and the table has no other', () => {
    const parts = new Set(SOURCES.map(partOf).filter((part) => part !== ''))
    expect([...parts].sort()).toEqual(Object.keys(MAY_USE).sort())
  })

  test.each(Object.keys(MAY_USE))('%s uses the parts that it may use, and no other', (part) => {
    const forbidden = OURS.filter(({ from, to }) => partOf(from) === part && partOf(to) !== '')
      .filter(({ to }) => partOf(to) !== part && !MAY_USE[part]?.includes(partOf(to)))
      .filter(({ to, isType }) => !(isType && MAY_KNOW[part]?.includes(partOf(to))))
    expect(forbidden.map(show)).toEqual([])
  })

  test('modules import only the shared files of the root, and these import no module', () => {
    const upwards = OURS.filter(
      ({ from, to }) =>
        (partOf(from) !== '' && partOf(to) === '' && !SHARED.includes(to)) ||
        (SHARED.includes(from) && !SHARED.includes(to)),
    )
    // A command is a program of its own, which starts where the server starts.
    const exceptions = (one: Import) =>
      partOf(one.from) === 'commands' && [NODE_VERSION, 'src/services.ts'].includes(one.to)
    expect(upwards.filter((one) => !exceptions(one)).map(show)).toEqual([])
  })

  test('only the app and the commands import services.ts', () => {
    const users = OURS.filter(({ to }) => to === 'src/services.ts').map(({ from }) => from)
    expect(users.filter((user) => user !== 'src/app.ts' && partOf(user) !== 'commands')).toEqual([])
  })

  test('there are no import cycles', () => {
    const uses = new Map<string, Set<string>>()
    for (const { from, to } of OURS) uses.set(from, (uses.get(from) ?? new Set()).add(to))
    // What uses nothing that is left is taken away, again and again: a cycle is what stays.
    const left = new Set(uses.keys())
    let before = 0
    while (before !== left.size) {
      before = left.size
      for (const file of left)
        if (![...(uses.get(file) ?? [])].some((used) => left.has(used))) left.delete(file)
    }
    expect([...left]).toEqual([])
  })

  test('only http, routes, the sandbox and the files at the root know the web framework', () => {
    const mayKnow = /^src\/(?:[^/]+|(?:http|sandbox)\/[^/]+|[^/]+\/(?:[\w-]+-)?routes\.ts)$/
    // The matching of proxies in @fastify/proxy-addr is a library of its own.
    const knowers = IMPORTS.filter(({ to }) => /^(?:fastify\b|@fastify\/)/.test(to))
    expect(knowers.length).toBeGreaterThan(5)
    expect(knowers.filter(({ from }) => !mayKnow.test(from)).map(show)).toEqual([])
  })

  test('the sandbox knows no other part, and only the demo knows the sandbox', () => {
    const crossing = OURS.filter(
      ({ from, to }) => (partOf(from) === 'sandbox') !== (partOf(to) === 'sandbox'),
    )
    expect(crossing.filter(({ from }) => from !== 'src/demo.ts').map(show)).toEqual([])
  })

  test('nothing but what starts a process imports the app', () => {
    const tops = ['src/app.ts', 'src/server.ts', 'src/demo.ts']
    const found = OURS.filter(({ to }) => tops.includes(to))
    expect(found.map(show).sort()).toEqual([
      'src/buy-links.ts imports src/server.ts',
      'src/demo.ts imports src/app.ts',
      'src/server.ts imports src/app.ts',
    ])
  })

  test('only programs read the environment', () => {
    const programs = ['src/server.ts', 'src/demo.ts', 'src/commands/command.ts', 'src/sandbox/main.ts']
    const readers = SOURCES.filter((path) => /\bprocess\s*\.\s*env\b(?!:)/.test(code(path)))
    expect(readers.sort()).toEqual(programs.sort())
  })

  test('only what runs a process ends it', () => {
    const enders = SOURCES.filter((path) => /\bprocess\s*\.\s*exit\(/.test(code(path))).sort()
    expect(enders).toEqual(['src/commands/command.ts', 'src/http/shutdown.ts', NODE_VERSION])
  })

  test('no file is longer than 300 lines', () => {
    const long = SOURCES.filter((path) => readFileSync(path, 'utf8').split('\n').length > 301)
    expect(long).toEqual([])
  })
})

/** The source without its comments. */
function code(path: string): string {
  return readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}
