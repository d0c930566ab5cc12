import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }

/** What our sources cannot be run by: it knows the options of the scripts, and no TypeScript. */
const OLD_NODE = `data:text/javascript,${encodeURIComponent("Object.defineProperty(process, 'versions', { value: { node: '20.20.2' } })")}`
/** These run tools that an older Node can run, or other scripts. */
const WITHOUT_SOURCES = ['lint', 'format', 'typecheck', 'test', 'test:full', 'build', 'check-image']
const scripts = Object.entries(packageJson.scripts).filter(([name]) => !WITHOUT_SOURCES.includes(name))

test.each(scripts)('`npm run %s` on an older Node stops with one sentence', (_name, script) => {
  const path = `${resolve('node_modules/.bin')}:${process.env.PATH}`
  const env = { PATH: path, NODE_OPTIONS: `--import=${OLD_NODE}` }
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { env, encoding: 'utf8' })
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^This needs Node 26 or newer, and this is Node 20\.20\.2: run "npm ci .*\n$/)
})
