import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { parseCatalog, readCatalog } from '../../src/catalog/catalog.ts'
import { CatalogError } from '../../src/catalog/problems.ts'
import { NotPlain, productTexts } from '../../src/catalog/split.ts'

async function* inChunks(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

async function textsOf(text: string, size = 7): Promise<string[] | 'not plain'> {
  const texts: string[] = []
  try {
    for await (const some of productTexts(inChunks(text, size))) texts.push(...some.map(({ text }) => text))
    return texts
  } catch (error) {
    if (error instanceof NotPlain) return 'not plain'
    throw error
  }
}

const anyEntry = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())
const anyBlank = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 3 })

test('every list of objects is split into its objects, whatever is in them and however the file is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyEntry, { minLength: 1, maxLength: 5 }),
      anyBlank,
      fc.integer({ min: 1, max: 40 }),
      async (entries, blank, size) => {
        const list = entries.map((entry) => JSON.stringify(entry)).join(`${blank},${blank}`)
        const text = `{${blank}"$schema": "x",${blank}"products"${blank}:${blank}[${blank}${list}${blank}]${blank}}`
        const texts = await textsOf(text, size)
        expect(texts).not.toBe('not plain')
        expect(Array.from(texts, (one) => JSON.parse(one))).toEqual(JSON.parse(text).products)
      },
    ),
  )
})

test.each([
  ['no list', '{"$schema": "x"}'],
  ['a list of something else', '{"product": [{}]}'],
  ['an empty list', '{"products": []}'],
  ['an entry that is no object', '{"products": [{}, 5]}'],
  ['a missing comma', '{"products": [{} {}]}'],
  ['a comma too many', '{"products": [{},]}'],
  ['a bracket too many', '{"products": [{}]]}'],
  ['an end that is missing', '{"products": [{}, {"a": 1}'],
  ['a quote that is not closed', '{"products": [{"a": "b}]}'],
  ['an unknown key', '{"products": [{}], "x": 1}'],
  ['a list in another object', '{"$schema": {"products": [{}]}}'],
  ['a second list', '{"products": [{}], "products": []}'],
  ['a second list with another spelling', '{"products": [{}], "product\\u0073": []}'],
])('%s is left to the reader of whole files', async (_what, text) => {
  expect(await textsOf(text)).toBe('not plain')
})

test('a file is read as its whole text is, with the same problems', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-split-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const outcome = async (read: () => unknown) => {
    try {
      return await read()
    } catch (error) {
      if (error instanceof CatalogError) return error.problems
      throw error
    }
  }
  const entry = { sku: 'tee', name: 'Tee "}]{[" \\', amount: 100, description: 'schön' }
  const bad = [{ amount: 0 }, { sku: 'a b' }, { colour: 'red' }, { starts_at: '2026-02-01T00:00:00Z' }]
  const files = [
    [entry],
    [entry, { ...entry, sku: 'mug' }],
    [entry, entry],
    ...bad.map((wrong) => [entry, { ...entry, sku: 'mug', ends_at: '2026-01-01T00:00:00Z', ...wrong }]),
  ].map((products) => JSON.stringify({ products }, undefined, 2))
  for (const [index, text] of [...files, `${files[0]}x`, `\ufeff${files[1]}`, '', '[]'].entries()) {
    const path = join(folder, `${index}.json`)
    await writeFile(path, text)
    const whole = await outcome(() => parseCatalog(text.replace(/^\ufeff/, '')).products)
    expect(await outcome(async () => (await readCatalog(path)).products)).toEqual(whole)
  }
})
