import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

import { CatalogError, parseCatalog, readCatalog } from '../../src/catalog/catalog.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'catalog-'))
})
afterAll(() => rm(folder, { recursive: true }))

const tee = { sku: 'tee', name: 'T-shirt', amount: 2500 }

async function problemsIn(loading: Promise<unknown>) {
  const error = await loading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof CatalogError)) throw new Error('a CatalogError was expected', { cause: error })
  return error.problems
}

const problemsOf = (document: unknown) => problemsIn(parseCatalog(JSON.stringify(document)))
const pointersOf = async (document: unknown) => (await problemsOf(document)).map(({ pointer }) => pointer)

describe('a good catalog', () => {
  it('keeps the order of the file and finds each product by its sku', async () => {
    const catalog = await parseCatalog(
      JSON.stringify({ $schema: './x', products: [tee, { ...tee, sku: 'a:b,c/ü' }] }),
    )
    expect(catalog.size).toBe(2)
    expect(catalog.products.map(({ sku }) => sku)).toEqual(['tee', 'a:b,c/ü'])
    expect(catalog.find('a:b,c/ü')).toBe(catalog.products[1])
    expect(catalog.find('nothing')).toBeUndefined()
    expect(catalog.find('__proto__')).toBeUndefined()
  })

  it('fills in the currency and that a product is active', async () => {
    const catalog = await parseCatalog(JSON.stringify({ products: [tee] }))
    expect(catalog.find('tee')).toEqual({ ...tee, currency: 'usd', active: true })
  })

  it('cannot be changed, however deep', async () => {
    const products = [{ ...tee, images: ['https://shop.example/a.jpg'], metadata: { color: 'black' } }]
    const catalog = await parseCatalog(JSON.stringify({ products }))
    const [product] = catalog.products
    for (const part of [catalog.products, product, product?.images, product?.metadata]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it('may be empty of products', async () => {
    expect((await parseCatalog('{"products": []}')).size).toBe(0)
  })

  it('loads 100,000 products, lets other work run meanwhile, and finds the first, a middle and the last', async () => {
    const products = Array.from({ length: 100_000 }, (_, n) => ({ ...tee, sku: `p-${n}`, amount: n + 1 }))
    let turns = 0
    const others = setInterval(() => {
      turns += 1
    }, 0)
    const catalog = await parseCatalog(JSON.stringify({ products }))
    clearInterval(others)
    expect(turns).toBeGreaterThan(5)
    expect(catalog.size).toBe(100_000)
    for (const n of [0, 50_000, 99_999]) expect(catalog.find(`p-${n}`)?.amount).toBe(n + 1)
    expect(catalog.find('p-100000')).toBeUndefined()
  })
})

describe('what is on sale', () => {
  const at = (second: number) => new Date(`2026-11-22T10:00:0${second}Z`)
  const time = (second: number) => at(second).toISOString()
  const load = () =>
    parseCatalog(
      JSON.stringify({
        products: [
          { ...tee, sku: 'always' },
          { ...tee, sku: 'never', active: false, starts_at: time(3) },
          { ...tee, sku: 'early', ends_at: time(2) },
          { ...tee, sku: 'late', starts_at: time(4) },
          { ...tee, sku: 'short', starts_at: time(2), ends_at: time(4) },
        ],
      }),
    )
  const EXPECTED = [
    ['always', 'early'],
    ['always', 'early'],
    ['always', 'short'],
    ['always', 'short'],
    ['always', 'late'],
    ['always', 'late'],
  ]

  it.each<[string, number[]]>([
    ['on', [0, 1, 2, 3, 4, 5]],
    ['back', [5, 4, 3, 2, 1, 0]],
    ['to and fro', [3, 0, 5, 2, 4, 1, 3]],
  ])('is right to the second, in the order of the file, while the clock goes %s', async (_how, seconds) => {
    const catalog = await load()
    for (const second of seconds) {
      expect(catalog.onSale(at(second)).map(({ sku }) => sku)).toEqual(EXPECTED[second])
    }
    expect(catalog.onSale(new Date(at(2).getTime() - 1)).map(({ sku }) => sku)).toEqual(EXPECTED[1])
  })

  it('is the same list until a sale begins or ends', async () => {
    const catalog = await load()
    const list = catalog.onSale(at(0))
    expect(catalog.onSale(at(1))).toBe(list)
    expect(catalog.onSale(at(2))).not.toBe(list)
    expect(Object.isFrozen(list)).toBe(true)
  })

  it('reads the dates of a large catalog while it is loaded, and never again', async () => {
    const products = Array.from({ length: 2500 }, (_, n) => ({
      ...tee,
      sku: `p-${n}`,
      starts_at: time(0),
      ends_at: new Date(at(0).getTime() + (n + 1) * 1000).toISOString(),
    }))
    const catalog = await parseCatalog(JSON.stringify({ products }))
    const parse = vi.spyOn(Date, 'parse')
    try {
      for (let second = 0; second < 5; second++) {
        expect(catalog.onSale(at(second))).toHaveLength(2500 - second)
      }
      expect(parse).not.toHaveBeenCalled()
    } finally {
      parse.mockRestore()
    }
  })
})

describe('problems', () => {
  it('are all reported, across products and within one, with escaped pointers', async () => {
    const pointers = await pointersOf({
      produkts: 1,
      $schema: 7,
      products: [
        {
          sku: 'has space',
          name: ' ',
          amount: 0,
          currency: 'USD',
          'a/b~c': 1,
          active: 'yes',
          expires_in: 59,
        },
        tee,
        'no product',
        { name: 'No sku', metadata: { 'x/y': 1, link: 'mine' }, images: ['ftp://x', 'http://x/y'] },
      ],
    })
    expect(pointers.toSorted()).toEqual([
      '/$schema',
      '/products/0/active',
      '/products/0/amount',
      '/products/0/a~1b~0c',
      '/products/0/currency',
      '/products/0/expires_in',
      '/products/0/name',
      '/products/0/sku',
      '/products/2',
      '/products/3/amount',
      '/products/3/images/0',
      '/products/3/images/1',
      '/products/3/metadata/link',
      '/products/3/metadata/x~1y',
      '/products/3/sku',
      '/produkts',
    ])
  })

  it('beyond the first eight in one product are not hidden', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`key${n}`, n]))
    const images = Array.from({ length: 30 }, () => 'nowhere')
    const pointers = await pointersOf({ products: [{ ...tee, ...unknown, images }] })
    expect(pointers.filter((pointer) => pointer.startsWith('/products/0/key'))).toHaveLength(30)
    expect(pointers.filter((pointer) => pointer.startsWith('/products/0/images/'))).toHaveLength(30)
  })

  it('of two products with one sku name both places, also where one is broken besides', async () => {
    const problems = await problemsOf({ products: [tee, { ...tee, sku: 'b' }, { ...tee, amount: -1 }] })
    expect(problems.map(({ pointer }) => pointer)).toEqual(['/products/2/amount', '/products/2/sku'])
    expect(problems[1]?.message).toContain('/products/0/sku')
  })

  it('between two fields are told beside those of a third', async () => {
    const broken = {
      ...tee,
      amount: '25',
      starts_at: '2026-02-01T00:00:00Z',
      ends_at: '2026-01-01T00:00:00Z',
    }
    expect(await pointersOf({ products: [broken] })).toEqual(['/products/0/amount', '/products/0/ends_at'])
  })

  it('of the frame are told: no object, no products, products that are no list', async () => {
    for (const document of [[tee], null, 'x', 3]) expect(await pointersOf(document)).toEqual([''])
    expect(await pointersOf({})).toEqual(['/products'])
    expect(await pointersOf({ products: { tee } })).toEqual(['/products'])
    expect(await pointersOf(JSON.parse('{"__proto__": {"products": []}}'))).toEqual([
      '/__proto__',
      '/products',
    ])
  })
})

describe('a text that is not JSON', () => {
  it.each([
    ['a trailing comma', '{\n  "products": [\n    1,\n  ]\n}', 'line 4, column 3', 'comma'],
    ['a trailing comma in an object', '{"products": [],}', 'line 1, column 17', 'comma'],
    ['a missing comma', '{\n "a": 1\n "b": 2}', 'line 3, column 2', 'comma is missing'],
    ['single quotes', "{'products': []}", 'line 1, column 2', 'double quotes'],
    ['a comment', '{\r\n// shop\r\n"products": []}', 'line 2, column 1', 'no comments'],
    ['half a file', '{"products": [{"sku": "a"', 'line 1, column 26', 'ends in the middle'],
    ['a text left open', '{"products": "abc\n}', 'line 1, column 14', 'not closed'],
    [
      'half a file after a very long text',
      `{"a": "${'x'.repeat(5_000_000)}"`,
      'line 1, column',
      'ends in the middle',
    ],
    ['a bare word', '{"active": yes}', 'line 1, column 12', 'double quotes'],
    ['a number of another language', '{"amount": 025}', 'line 1, column 12', 'number'],
    ['a second document', '{"products": []} {}', 'line 1, column 18', 'nothing may follow'],
    ['a missing colon', '{"products" []}', 'line 1, column 13', '":"'],
  ])('%s is told with line, column and a hint', async (_, text, place, hint) => {
    const [problem, ...more] = await problemsIn(parseCatalog(text))
    expect(more).toEqual([])
    expect(problem?.pointer).toBe('')
    expect(problem?.message).toContain(place)
    expect(problem?.message).toContain(hint)
  })
})

describe('a file', () => {
  const write = async (name: string, content: string | Buffer) => {
    const path = join(folder, name)
    await writeFile(path, content)
    return path
  }

  it('with a byte order mark is read like any other', async () => {
    expect((await readCatalog(await write('bom.json', '\uFEFF{"products": []}'))).size).toBe(0)
    expect((await parseCatalog('\uFEFF{"products": []}')).size).toBe(0)
  })

  it('that is missing, a directory, empty or in another encoding is told in a sentence with a way out', async () => {
    const utf16 = await write('utf16.json', Buffer.from('\uFEFF{"products": []}', 'utf16le'))
    const latin = await write('latin.json', Buffer.from('{"products": "\xe9"}', 'latin1'))
    const cases: [string, RegExp][] = [
      [join(folder, 'absent.json'), /there is no file .*absent\.json: create it/],
      [folder, /is a directory: name the file/],
      [await write('empty.json', ''), /the file is empty: start with/],
      [await write('blank.json', ' \n'), /the file is empty: start with/],
      [utf16, /UTF-16: save it again as UTF-8/],
      [latin, /not UTF-8: save it again as UTF-8/],
    ]
    for (const [path, sentence] of cases) {
      const problems = await problemsIn(readCatalog(path))
      expect(problems).toHaveLength(1)
      expect(problems[0]?.message).toMatch(sentence)
    }
  })
})
