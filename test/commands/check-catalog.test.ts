import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { readCatalog } from '../../src/catalog/catalog.ts'
import { problemLine } from '../../src/catalog/problems.ts'
import { run, runScript } from './run-command.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const GOOD = '{"products": [{"sku": "a", "name": "A", "amount": 2500}]}'
const LIST = 'a      $25.00  A\n'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-catalog-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

describe('check-catalog', () => {
  it('accepts a good file', async () => {
    const path = await file('good.json', GOOD)
    expect(await run('check-catalog', [path])).toEqual({
      code: 0,
      stdout: `${LIST}${path}: 1 product, fine\n`,
      stderr: '',
    })
  })

  it('prints every problem with its position, and exits 1', async () => {
    const path = await file('bad.json', '{"products": [{"sku": "a", "name": "A", "amount": 0, "x": 1}]}')
    const { code, stdout, stderr } = await runScript('check-catalog', [path], {})
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const lines = stderr.trimEnd().split('\n').toSorted()
    expect(lines).toEqual([
      expect.stringMatching(
        /\/bad\.json(?::\d+:\d+)? {2}\/products\/0\/amount {2}a: must be at least 1 \(cents\)$/,
      ),
      expect.stringMatching(/\/bad\.json(?::\d+:\d+)? {2}\/products\/0\/x {2}a: is not a key/),
    ])
  })

  it('prints line and column where they are known', () => {
    const problem = { pointer: '/products/0/amount', message: 'must be at least 1' }
    expect(problemLine({ ...problem, line: 12, column: 5 }, 'catalog.json')).toBe(
      'catalog.json:12:5  /products/0/amount  must be at least 1',
    )
    expect(problemLine(problem, 'catalog.json')).toBe('catalog.json  /products/0/amount  must be at least 1')
    expect(problemLine({ ...problem, pointer: '' })).toBe('must be at least 1')
  })

  it('takes the file from CATALOG_PATH', async () => {
    const path = await file('other.json', GOOD)
    expect(await run('check-catalog', [], { env: { CATALOG_PATH: path } })).toMatchObject({
      code: 0,
      stdout: `${LIST}${path}: 1 product, fine\n`,
    })
    const missing = join(folder, 'none.json')
    expect(await run('check-catalog', [], { env: { CATALOG_PATH: missing } })).toEqual({
      code: 1,
      stdout: '',
      stderr: `${missing}  there is no file ${missing}: create it, or set CATALOG_PATH to where the catalog is\n`,
    })
  })

  it('treats an empty or blank CATALOG_PATH as absent, as the service does', async () => {
    const path = await file('other.json', GOOD)
    const dotenvPath = await file('good.env', `CATALOG_PATH=${path}\n`)
    for (const blank of ['', '  ']) {
      const { stdout } = await run('check-catalog', [], { env: { CATALOG_PATH: blank }, dotenvPath })
      expect(stdout).toBe(`${LIST}${path}: 1 product, fine\n`)
    }
    const { stderr } = await run('check-catalog', [], { env: { CATALOG_PATH: 'none.json' }, dotenvPath })
    expect(stderr).toContain('none.json')
  })

  it('reports a .env file that cannot be read, and ignores every other setting', async () => {
    const { code, stderr } = await run('check-catalog', [], { dotenvPath: folder })
    expect(code).toBe(1)
    expect(stderr).toContain('cannot be read')
    const path = await file('good.json', GOOD)
    const env = { CATALOG_PATH: path, PORT: 'wrong', DOTS_API_KEY_FILE: join(folder, 'none') }
    expect(await run('check-catalog', [], { env })).toMatchObject({ code: 0, stderr: '' })
  })

  it('explains its use, and refuses a second file', async () => {
    expect(await run('check-catalog', ['--help'])).toMatchObject({ code: 0, stderr: '' })
    for (const words of [['a.json', 'b.json'], ['--all']]) {
      const { code, stdout, stderr } = await run('check-catalog', words)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('npm run check-catalog')
    }
  })
})

describe('the files in the repository', () => {
  it('the sample catalog is fine and sells the product of the documentation', async () => {
    const catalog = await readCatalog(join(ROOT, 'catalog.json'))
    expect(catalog.find('tee-black-m')?.amount).toBe(2500)
  })
})
