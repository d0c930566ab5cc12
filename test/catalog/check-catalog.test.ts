import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { readCatalog } from '../../src/catalog/catalog.ts'
import { catalogSchemaFile } from '../../src/catalog/schema-file.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const COMMAND = join(ROOT, 'src/catalog/check-catalog.ts')
const GOOD = '{"products": [{"sku": "a", "name": "A", "amount": 1}]}'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-catalog-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Runs the command in the folder, where there is no `.env`. */
function check(args: string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((done) => {
    const child = execFile(process.execPath, [COMMAND, ...args], { cwd: folder, env }, (_, stdout, stderr) =>
      done({ code: child.exitCode, stdout, stderr }),
    )
  })
}

describe('check-catalog', () => {
  it('says that a good file is fine', async () => {
    await writeFile(join(folder, 'good.json'), GOOD)
    expect(await check(['good.json'])).toEqual({
      code: 0,
      stdout: 'good.json: 1 product, fine\n',
      stderr: '',
    })
  })

  it('prints every problem with its pointer and exits 1', async () => {
    await writeFile(
      join(folder, 'bad.json'),
      '{"products": [{"sku": "a", "name": "A", "amount": 0, "x": 1}]}',
    )
    const { code, stdout, stderr } = await check(['bad.json'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const lines = stderr.trimEnd().split('\n').toSorted()
    expect(lines).toEqual([
      '/products/0/amount  must be at least 1',
      expect.stringMatching(/^\/products\/0\/x {2}is not a key/),
    ])
  })

  it('takes the file from CATALOG_PATH, and catalog.json where that is empty', async () => {
    await writeFile(join(folder, 'other.json'), GOOD)
    expect((await check([], { CATALOG_PATH: 'other.json' })).stdout).toContain('other.json: 1 product')
    const { code, stderr } = await check([], { CATALOG_PATH: '' })
    expect(code).toBe(1)
    expect(stderr).toBe(
      'catalog.json  there is no file catalog.json: create it, or set CATALOG_PATH to where the catalog is\n',
    )
  })

  it('takes what is empty or blank as absent, as the service does', async () => {
    await writeFile(join(folder, 'other.json'), GOOD)
    const dotenv = join(folder, '.env')
    await writeFile(dotenv, 'CATALOG_PATH=other.json\n')
    for (const blank of ['', '  ']) {
      expect((await check([], { CATALOG_PATH: blank })).stdout).toBe('other.json: 1 product, fine\n')
    }
    expect((await check([], { CATALOG_PATH: 'none.json' })).stderr).toContain('none.json')
    await rm(dotenv)
  })
})

describe('the files in the repository', () => {
  it('catalog.schema.json is what the product schema says', async () => {
    expect(await readFile(join(ROOT, 'catalog.schema.json'), 'utf8')).toBe(catalogSchemaFile())
  })

  it('the sample catalog is fine and sells the product of the documentation', async () => {
    const catalog = await readCatalog(join(ROOT, 'catalog.json'))
    expect(catalog.find('tee-black-m')?.amount).toBe(2500)
  })
})
