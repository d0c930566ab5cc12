import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { parseCatalog, readCatalog } from '../../src/catalog/catalog.ts'
import { CatalogError, type CatalogProblem } from '../../src/catalog/problems.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'catalog-'))
})
afterAll(() => rm(folder, { recursive: true }))

const tee = { sku: 'tee', name: 'T-shirt', amount: 2500 }

async function problemsIn(load: () => unknown): Promise<readonly CatalogProblem[]> {
  try {
    await load()
  } catch (error) {
    if (error instanceof CatalogError) return error.problems
    throw error
  }
  throw new Error('a CatalogError was expected')
}

const problemsOf = (document: unknown) => problemsIn(() => parseCatalog(JSON.stringify(document)))
const pointersOf = async (document: unknown) => (await problemsOf(document)).map(({ pointer }) => pointer)

describe('a good catalog', () => {
  it('keeps the order of the file and finds each product by its sku', async () => {
    const catalog = parseCatalog(
      JSON.stringify({ $schema: './x', products: [tee, { ...tee, sku: 'a:b,c/ü' }] }),
    )
    expect(catalog.size).toBe(2)
    expect(catalog.products.map(({ sku }) => sku)).toEqual(['tee', 'a:b,c/ü'])
    expect(catalog.find('a:b,c/ü')).toBe(catalog.products[1])
    expect(catalog.find('nothing')).toBeUndefined()
    expect(catalog.find('__proto__')).toBeUndefined()
  })

  it('fills in the currency, that a product is active, and its sale period', async () => {
    const catalog = parseCatalog(JSON.stringify({ products: [tee] }))
    const always = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }
    expect(catalog.find('tee')).toEqual({ ...tee, currency: 'usd', active: true, ...always })
  })

  it('may be empty of products', async () => {
    expect(parseCatalog('{"products": []}').size).toBe(0)
  })

  it('of 100,000 products finds the first, a middle and the last', () => {
    const products = Array.from({ length: 100_000 }, (_, n) => ({ ...tee, sku: `p-${n}`, amount: n + 1 }))
    const catalog = parseCatalog(JSON.stringify({ products }))
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
    ['forwards', [0, 1, 2, 3, 4, 5]],
    ['backwards', [5, 4, 3, 2, 1, 0]],
    ['mixed', [3, 0, 5, 2, 4, 1, 3]],
  ])(
    'is right to the second, in the order of the file, for times in this order: %s',
    async (_how, seconds) => {
      const catalog = load()
      for (const second of seconds) {
        expect(catalog.onSale(at(second)).map(({ sku }) => sku)).toEqual(EXPECTED[second])
      }
      expect(catalog.onSale(new Date(at(2).getTime() - 1)).map(({ sku }) => sku)).toEqual(EXPECTED[1])
    },
  )
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

  it('for a sku that is used twice name both places, even if one product has another problem', async () => {
    const problems = await problemsOf({ products: [tee, { ...tee, sku: 'b' }, { ...tee, amount: -1 }] })
    expect(problems.map(({ pointer }) => pointer)).toEqual(['/products/2/amount', '/products/2/sku'])
    expect(problems[1]?.message).toContain('/products/0/sku')
  })

  it('between two fields are reported together with problems of other fields', async () => {
    const broken = {
      ...tee,
      amount: '25',
      starts_at: '2026-02-01T00:00:00Z',
      ends_at: '2026-01-01T00:00:00Z',
    }
    expect(await pointersOf({ products: [broken] })).toEqual(['/products/0/amount', '/products/0/ends_at'])
  })

  it('at the top level are reported: not an object, no products, products that are not a list', async () => {
    for (const document of [[tee], null, 'x', 3]) expect(await pointersOf(document)).toEqual([''])
    expect(await pointersOf({})).toEqual(['/products'])
    expect(await pointersOf({ products: { tee } })).toEqual(['/products'])
    expect(await pointersOf(JSON.parse('{"__proto__": {"products": []}}'))).toEqual([
      '/__proto__',
      '/products',
    ])
  })
})

describe('the position of a problem', () => {
  const TEXT = `{
  "$schema": 7,
  "products": [
    { "sku": "a", "name": "A", "amount": 100 },
    {
      "sku": "a",
      "name": "B",
      "amount": 1, "amount": 0,
      "color/size": "red",
      "starts_at": "2026-02-01T00:00:00Z",
      "ends_at": "2026-01-01T00:00:00Z",
      "images": ["https://shop.example/a.jpg", "b.jpg"],
      "restrictions": {}
    },\r
\t{ "sku": "c", "name": "C" },
    3
  ]
}`

  it('is the key or entry itself, and the object around what is missing', async () => {
    const problems = await problemsIn(() => parseCatalog(TEXT))
    const places = problems.map(({ pointer, line, column }) => `${line}:${column} ${pointer}`)
    expect(places.toSorted()).toEqual([
      '11:7 /products/1/ends_at',
      '12:48 /products/1/images/1',
      '13:7 /products/1/restrictions/completed_sessions',
      '15:2 /products/2/amount',
      '16:5 /products/3',
      '2:3 /$schema',
      '6:7 /products/1/sku',
      '8:20 /products/1/amount',
      '9:7 /products/1/color~1size',
    ])
  })

  it('is in the message of the error, which has a line for each problem', () => {
    expect(() => parseCatalog('{"products": [\n  {"sku": "a", "name": "A", "amount": 0}\n]}')).toThrow(
      'The catalog is invalid:\n  2:29  /products/0/amount  a: must be at least 1 (cents)',
    )
  })
})

describe('a text that is not JSON', () => {
  it.each([
    ['a trailing comma', '{\n  "products": [\n    1,\n  ]\n}', '4:3', 'comma'],
    ['a trailing comma in an object', '{"products": [],}', '1:17', 'comma'],
    ['a missing comma', '{\n "a": 1\n "b": 2}', '3:2', 'comma is missing'],
    ['single quotes', "{'products': []}", '1:2', 'double quotes'],
    ['a comment', '{\r\n// shop\r\n"products": []}', '2:1', 'no comments'],
    ['half a file', '{"products": [{"sku": "a"', '1:26', 'ends in the middle'],
    ['a text left open', '{"products": "abc\n}', '1:14', 'not closed'],
    [
      'half a file after a very long text',
      `{"a": "${'x'.repeat(5_000_000)}"`,
      '1:5000009',
      'ends in the middle',
    ],
    ['a bare word', '{"active": yes}', '1:12', 'double quotes'],
    ['a number of another language', '{"amount": 025}', '1:12', 'number'],
    ['a second document', '{"products": []} {}', '1:18', 'nothing may follow'],
    ['a missing colon', '{"products" []}', '1:13', '":"'],
    ['a comma too many', '{"a": 1, , "b": 2}', '1:10', 'a key in double quotes'],
    ['a number in hexadecimal', '{"amount": 0x1f}', '1:12', 'not a number'],
    ['a number with a plus sign', '{"amount": +1}', '1:12', 'not a number'],
    ['a number without its decimals', '{"amount": 1.}', '1:12', 'not a number'],
    ['two numbers without a comma', '[10 20]', '1:5', 'comma is missing'],
    ['a bad escape', '{"name": "C:\\shop"}', '1:10', 'a backslash is written'],
    ['typographic quotes', '{“name”: 1}', '1:2', 'double quotes'],
    ['a value left out', '{"a": }', '1:7', 'a value is expected'],
    ['a tab in a text', '{"name": "a\tb"}', '1:10', 'bad escape'],
  ])('%s is reported with line, column and a hint', async (_, text, place, hint) => {
    const [problem, ...more] = await problemsIn(() => parseCatalog(text))
    expect(more).toEqual([])
    expect(problem?.pointer).toBe('')
    expect(`${problem?.line}:${problem?.column}`).toBe(place)
    expect(problem?.message).toContain(hint)
  })

  it('is refused without a position where it is nested too deep to look for one', async () => {
    const [problem] = await problemsIn(() => parseCatalog('['.repeat(100_000)))
    expect(problem).toEqual({ pointer: '', message: expect.stringContaining('is not JSON') })
    const nested = `{"products": [], "x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    expect(await problemsIn(() => parseCatalog(nested))).toMatchObject([{ pointer: '/x' }])
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
  })

  it('that is missing, a directory, empty or in another encoding is reported with what to do', async () => {
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
      const problems = await problemsIn(() => readCatalog(path))
      expect(problems).toHaveLength(1)
      expect(problems[0]?.message).toMatch(sentence)
    }
  })
})
