import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseCatalog, readCatalog } from '../../src/catalog/catalog.ts'
import { CatalogError, type CatalogProblem } from '../../src/catalog/problems.ts'
import { similarProducts } from '../../src/catalog/similar.ts'

const TEE = '"sku": "tee", "name": "Tee"'
const file = (...entries: string[]) =>
  `{"products": [\n${entries.map((entry) => `  {${entry}}`).join(',\n')}\n]}`

/** The problems of a text, read from a file in parts and in one go: both have to find the same. */
async function problemsOf(text: string): Promise<readonly CatalogProblem[]> {
  const folder = await mkdtemp(join(tmpdir(), 'refused-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'catalog.json'), text)
  const found: (readonly CatalogProblem[])[] = []
  for (const read of [async () => parseCatalog(text), () => readCatalog(join(folder, 'catalog.json'))]) {
    try {
      await read()
      found.push([])
    } catch (error) {
      if (!(error instanceof CatalogError)) throw error
      found.push(error.problems)
    }
  }
  const [whole = [], inParts] = found
  expect(inParts).toEqual(whole)
  return whole
}

describe('an amount that is not written as whole cents is refused', () => {
  test.each([
    '25.00',
    '25.0',
    '2.5e3',
    '25e2',
    '2500e0',
    '2500E-0',
    '25.5',
    '"25.00"',
    '"$25"',
    '-1.0',
    'null',
    '[25]',
  ])('%s', async (amount) => {
    const [problem, ...more] = await problemsOf(file(`${TEE}, "amount": ${amount}`))
    expect(more).toEqual([])
    expect(problem).toMatchObject({ pointer: '/products/0/amount', sku: 'tee', line: 2, column: 33 })
    expect(problem?.message).toMatch(/cents.*2500 is \$25\.00/)
  })

  test('and so is every other number with a point', async () => {
    const more =
      '"adjustable_quantity": {"minimum": 1.0, "maximum": 5}, "expires_in": 60.0, "metadata": {"a.b": "1.0e5"}'
    const problems = await problemsOf(file(`${TEE}, "amount": 2500, ${more}`))
    expect(problems.map(({ pointer }) => pointer)).toEqual([
      '/products/0/adjustable_quantity/minimum',
      '/products/0/expires_in',
    ])
    expect(problems[0]?.message).not.toContain('cents')
  })
})

describe('a key that is written twice is refused', () => {
  test.each([
    ['/products/0/amount', file(`${TEE}, "amount": 2500, "amount": 250`)],
    ['/products/0/amount', file(`${TEE}, "amount": 2500, "am\\u006funt": 2500`)],
    [
      '/products/0/metadata/a',
      file(`${TEE}, "amount": 2500, "metadata": {"a": "x", "b\\\\": "1", "a": "x"}`),
    ],
    [
      '/products/0/adjustable_quantity/maximum',
      file(`${TEE}, "amount": 1, "adjustable_quantity": {"maximum": 2, "maximum": 2}`),
    ],
    [
      '/products',
      '{"products": [{"sku": "a", "name": "A", "amount": 1}], "products": [{"sku": "b", "name": "B", "amount": 1}]}',
    ],
    ['/products', '{"products": [], "products": [{"sku": "b", "name": "B", "amount": 1}]}'],
    ['/$schema', '{"$schema": "", "$schema": "a", "products": [{"sku": "b", "name": "B", "amount": 1}]}'],
  ])('%s', async (pointer, text) => {
    const [problem, ...more] = await problemsOf(text)
    expect([problem?.pointer, more]).toEqual([pointer, []])
    expect(problem?.message).toContain('twice')
    expect(problem?.line).toBeGreaterThan(0)
  })

  test('not where it only looks so', async () => {
    const tricky =
      '"description": "\\"amount\\": 1, \\"amount\\": 2", "metadata": {"amount": ":", ":": "\\\\"}'
    expect(await problemsOf(file(`${TEE}, "amount": 2500, ${tricky}`))).toEqual([])
  })
})

describe('text that is no text is refused', () => {
  test.each([
    ['half of a character', '\\ud83d', 'half of a character, U+D83D'],
    ['the other half', 'a\\ude00', 'U+DE00'],
    ['U+0000', '\\u0000', 'control character U+0000'],
    ['a bell', 'a\\u0007b', 'U+0007'],
    ['an escape', '\\u001b[31m', 'U+001B'],
    ['a CR alone', 'a\\rb', 'U+000D'],
    ['a form feed', 'a\\f', 'U+000C'],
    ['DEL', 'a\u007f', 'U+007F'],
    ['a control character beyond ASCII', 'a\u0085', 'U+0085'],
  ])('%s', async (_name, text, message) => {
    for (const [pointer, entry] of [
      ['/products/0/name', `"sku": "tee", "name": "x${text}", "amount": 1`],
      ['/products/0/description', `${TEE}, "amount": 1, "description": "${text}"`],
      ['/products/0/metadata/a', `${TEE}, "amount": 1, "metadata": {"a": "${text}"}`],
    ] as const) {
      const [problem, ...more] = await problemsOf(file(entry))
      expect([problem?.pointer, more]).toEqual([pointer, []])
      expect(problem?.message).toContain(message)
    }
  })

  test('tab, LF, CR LF, emoji and no-break spaces are text; CR LF counts as LF', async () => {
    const text = file(`${TEE}, "amount": 1, "description": "a\\tb\\r\\nc\\n\\ud83d\\ude00 \u00a0\u2028"`)
    expect(await problemsOf(text)).toEqual([])
    expect(parseCatalog(text).find('tee')?.description).toBe('a\tb\nc\n😀 \u00a0\u2028')
  })
})

test.each([
  ['café', 'cafe\u0301'],
  ["o'neill", 'o’neill'],
  ['"x"', '“x”'],
  ['a️', 'a'],
])('two skus that look alike are refused: %j and %j', async (one, two) => {
  const entry = (sku: string) => `"sku": ${JSON.stringify(sku)}, "name": "X", "amount": 100`
  for (const [first, second] of [
    [one, two],
    [two, one],
  ]) {
    const problems = await problemsOf(file(entry(first ?? ''), entry(second ?? '')))
    const last = problems.at(-1)
    expect(last).toMatchObject({ pointer: '/products/1/sku', line: 3 })
    expect(last?.message).toMatch(/\/products\/0\/sku|printable/)
  }
})

describe('an unknown key', () => {
  test.each([
    ['price', 'amount'],
    ['unit_amount', 'amount'],
    ['amout', 'amount'],
    ['Amount', 'amount'],
    ['title', 'name'],
    ['Naem', 'name'],
    ['id', 'sku'],
    ['image', 'images'],
    ['qty', 'adjustable_quantity'],
    ['start_at', 'starts_at'],
    ['meta', 'metadata'],
  ])('%s is taken for %s', async (key, meant) => {
    const problems = await problemsOf(file(`${TEE}, "amount": 100, "${key}": 5`))
    expect(problems[0]?.message).toContain(`do you mean "${meant}"?`)
  })

  test('in another object is taken for one of its own', async () => {
    const [problem] = await problemsOf(file(`${TEE}, "amount": 100, "adjustable_quantity": {"min": 1}`))
    expect(problem?.message).toContain('"minimum"')
    expect((await problemsOf('{"product": []}'))[0]?.message).toContain('"products"')
    const [none] = await problemsOf(file(`${TEE}, "amount": 100, "colour": "x"`))
    expect(none?.message).toContain('correct the spelling')
  })
})

describe('addresses of pictures', () => {
  /** RFC 3986, appendix A, for what is sent: a host name, a path, a query. */
  const PCHAR = "(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@]|%[0-9A-F]{2})"
  const URI = new RegExp(
    `^https?://[a-z0-9.-]+(?::\\d+)?(?:/${PCHAR}*)*(?:\\?(?:${PCHAR}|[/?])*)?(?:#(?:${PCHAR}|[/?])*)?$`,
  )
  const imageOf = (address: string) =>
    parseCatalog(file(`${TEE}, "amount": 1, "images": [${JSON.stringify(address)}]`)).find('tee')?.images?.[0]

  test.each([
    ['https://shop.example/größe.jpg', 'https://shop.example/gr%C3%B6%C3%9Fe.jpg'],
    ['https://bücher.example/a.jpg', 'https://xn--bcher-kva.example/a.jpg'],
    ['https://shop.example/a.jpg?size={w}|2', 'https://shop.example/a.jpg?size=%7Bw%7D%7C2'],
    [
      'https://shop.example/a[1]^`.jpg?x=[y]"\'<>',
      'https://shop.example/a%5B1%5D%5E%60.jpg?x=%5By%5D%22%27%3C%3E',
    ],
    ['https://shop.example/100%.jpg', 'https://shop.example/100%25.jpg'],
    ['https://shop.example/a%2Fb%C3%B6.jpg', 'https://shop.example/a%2Fb%C3%B6.jpg'],
    ['https://shop.example/a#b#c', 'https://shop.example/a#b%23c'],
    ['HTTPS://Shop.Example/./a/../b.jpg', 'https://shop.example/b.jpg'],
    ['https://shop.example', 'https://shop.example/'],
  ])('%s goes out as %s', (address, uri) => {
    expect(imageOf(address)).toBe(uri)
    expect(uri).toMatch(URI)
  })

  test.each([
    ['https://shop.example/a b.jpg', '%20'],
    ['https://shop.example\\a.jpg', 'backslash'],
    ['https://user:pass@shop.example/a.jpg', 'user name'],
    ['http://shop.example/a.jpg', 'https://'],
    ['ftp://shop.example/a.jpg', 'https://'],
    ['/a.jpg', 'whole address'],
    ['shop.example/a.jpg', 'whole address'],
  ])('%s is refused, and the message says %s', async (address, words) => {
    const [problem] = await problemsOf(file(`${TEE}, "amount": 1, "images": [${JSON.stringify(address)}]`))
    expect(problem?.message).toContain(words)
  })
})

test('products that are like a text are found by sku and name, those on sale only', () => {
  const products = [
    { sku: 'tee-black-m', name: 'Black T-shirt, M', amount: 1 },
    { sku: 'tee-black-l', name: 'Black T-shirt, L', amount: 1 },
    { sku: 'tee-black-old', name: 'Old', amount: 1, active: false },
    { sku: 'mug', name: 'Stoneware mug', amount: 1 },
  ]
  const catalog = parseCatalog(JSON.stringify({ products }))
  const like = (text: string) => similarProducts(catalog, text, new Date(), 2).map(({ sku }) => sku)
  expect(like('Tee-Black-M')[0]).toBe('tee-black-m')
  expect(like('tee_blakc_l')[0]).toBe('tee-black-l')
  expect(like('tee-black')).toEqual(['tee-black-m', 'tee-black-l'])
  expect(like('stoneware')).toEqual(['mug'])
  expect(like('mugs')).toEqual(['mug'])
  expect(like('zzzzzz')).toEqual([])
  expect(like('')).toEqual([])
})
