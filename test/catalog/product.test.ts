import Type from 'typebox'
import { describe, expect, it } from 'vitest'

import { parseCatalog } from '../../src/catalog/catalog.ts'
import { CatalogError } from '../../src/catalog/problems.ts'
import {
  availability,
  MAX_AMOUNT_CENTS,
  MAX_QUANTITY,
  type Product,
  ProductSchema,
  quantityLimits,
} from '../../src/catalog/product.ts'

const tee = { sku: 'tee', name: 'T-shirt', amount: 2500 }

async function load(fields: object): Promise<Product> {
  const catalog = parseCatalog(JSON.stringify({ products: [{ ...tee, ...fields }] }))
  const [product] = catalog.products
  if (product === undefined) throw new Error('the catalog is empty')
  return product
}

/** The pointers of the problems, below the product. */
async function refusal(fields: object): Promise<string[]> {
  try {
    await load(fields)
    return []
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    return error.problems.map(({ pointer }) => pointer.replace('/products/0', ''))
  }
}

const metadata = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, n) => [`k${n}`, 'v']))
const limit = (value: unknown) => ({ restrictions: { completed_sessions: { limit: value } } })

describe('accepts', () => {
  it.each<[string, object]>([
    ['a sku of 64 characters', { sku: 'x'.repeat(64) }],
    ['a sku with punctuation and other scripts', { sku: '~größe:(1),靴/👟' }],
    ['a name of 250 characters beyond the basic plane', { name: '👟'.repeat(250) }],
    ['text with markup and line breaks', { name: '<b>Tee</b>\n"&', description: '=cmd()\n' }],
    ['one cent', { amount: 1 }],
    ['the most expensive product', { amount: MAX_AMOUNT_CENTS }],
    ['an https image', { images: ['https://shop.example:8443/tee.jpg?x=1#y'] }],
    [
      'an http image on this machine',
      {
        images: [
          'http://localhost:3000/a',
          'http://127.0.0.1/a',
          'http://[::1]/a',
          'http://shop.localhost/a',
        ],
      },
    ],
    ['no more than a message after completion', { after_completion: { custom_message: 'Bye.' } }],
    ['an https redirect', { after_completion: { redirect_url: 'https://shop.example/thanks' } }],
    [
      'a sale period with different offsets',
      { starts_at: '2026-11-01T00:30:00+01:00', ends_at: '2026-11-01T00:00:00Z' },
    ],
    ['one unit only', { adjustable_quantity: { minimum: 1, maximum: 1 } }],
    ['the most units', { adjustable_quantity: { maximum: MAX_QUANTITY } }],
    ['a limit of one sale', limit(1)],
    ['the shortest time to pay', { expires_in: 60 }],
    ['the longest time to pay', { expires_in: 10_799 }],
    ['metadata at its limits', { metadata: { ...metadata(19), ['k'.repeat(40)]: 'v'.repeat(500) } }],
    ['metadata like our own names', { metadata: { items_: 'x', itemsx: 'x', links: 'x', Link: 'x' } }],
    ['confirm', { confirm: true }],
  ])('%s', async (_, fields) => {
    expect(await refusal(fields)).toEqual([])
  })
})

describe('refuses', () => {
  it.each<[string, object, string]>([
    ['an empty sku', { sku: '' }, '/sku'],
    ['a sku of 65 characters', { sku: 'x'.repeat(65) }, '/sku'],
    ['a sku with a space', { sku: 'a b' }, '/sku'],
    ['a sku with a no-break space', { sku: 'a\u00a0b' }, '/sku'],
    ['a sku with a control character', { sku: 'a\u0007' }, '/sku'],
    ['a sku with an invisible character', { sku: 'a\u200b' }, '/sku'],
    ['a sku with half a character', { sku: 'a\ud800' }, '/sku'],
    ['a sku that is a number', { sku: 1 }, '/sku'],
    ['an empty name', { name: '' }, '/name'],
    ['a blank name', { name: ' \t' }, '/name'],
    ['a name of 251 characters', { name: 'x'.repeat(251) }, '/name'],
    ['an empty description', { description: '' }, '/description'],
    ['nothing as amount', { amount: 0 }, '/amount'],
    ['part of a cent', { amount: 25.5 }, '/amount'],
    ['an amount in quotes', { amount: '2500' }, '/amount'],
    ['an amount beyond the ceiling', { amount: MAX_AMOUNT_CENTS + 1 }, '/amount'],
    ['another currency', { currency: 'eur' }, '/currency'],
    ['an upper-case currency', { currency: 'USD' }, '/currency'],
    ['a currency that is no text', { currency: 1 }, '/currency'],
    ['active in quotes', { active: 'true' }, '/active'],
    ['active as null', { active: null }, '/active'],
    ['an empty inactive message', { inactive_message: '' }, '/inactive_message'],
    ['an http image', { images: ['http://shop.example/a.jpg'] }, '/images/0'],
    [
      'an http image on a host that only looks local',
      { images: ['http://localhost.evil.example/'] },
      '/images/0',
    ],
    ['a relative image', { images: ['/a.jpg'] }, '/images/0'],
    ['an image as script', { images: ['javascript:alert(1)'] }, '/images/0'],
    ['an image as data', { images: ['data:image/png;base64,AA'] }, '/images/0'],
    ['an image with credentials', { images: ['https://u:p@shop.example/a.jpg'] }, '/images/0'],
    ['an image URL with a space', { images: ['https://shop.example/a b.jpg'] }, '/images/0'],
    ['an image without a host', { images: ['https://'] }, '/images/0'],
    [
      'a script as redirect',
      { after_completion: { redirect_url: 'javascript:alert(1)' } },
      '/after_completion/redirect_url',
    ],
    [
      'a redirect over http',
      { after_completion: { redirect_url: 'http://shop.example' } },
      '/after_completion/redirect_url',
    ],
    [
      'a redirect with backslashes',
      { after_completion: { redirect_url: 'https:\\\\x.example' } },
      '/after_completion/redirect_url',
    ],
    [
      'a redirect with credentials',
      { after_completion: { redirect_url: 'https://u@x.example' } },
      '/after_completion/redirect_url',
    ],
    ['an unknown key after completion', { after_completion: { type: 'redirect' } }, '/after_completion/type'],
    ['a start without offset', { starts_at: '2026-11-01T00:00:00' }, '/starts_at'],
    ['a start that is a date', { starts_at: '2026-11-01' }, '/starts_at'],
    ['a start in words', { starts_at: 'tomorrow' }, '/starts_at'],
    ['a day that does not exist', { starts_at: '2026-02-30T00:00:00Z' }, '/starts_at'],
    ['a leap second', { ends_at: '2016-12-31T23:59:60Z' }, '/ends_at'],
    ['a start with a time zone suffix', { starts_at: '2026-11-01T00:00:00Z[UTC]' }, '/starts_at'],
    [
      'an end at the start',
      { starts_at: '2026-11-01T01:00:00+01:00', ends_at: '2026-11-01T00:00:00Z' },
      '/ends_at',
    ],
    ['a minimum of zero', { adjustable_quantity: { minimum: 0 } }, '/adjustable_quantity/minimum'],
    ['a maximum of zero', { adjustable_quantity: { maximum: 0 } }, '/adjustable_quantity/maximum'],
    [
      'a maximum beyond the ceiling',
      { adjustable_quantity: { maximum: MAX_QUANTITY + 1 } },
      '/adjustable_quantity/maximum',
    ],
    [
      'a minimum above the maximum',
      { adjustable_quantity: { minimum: 3, maximum: 2 } },
      '/adjustable_quantity',
    ],
    [
      'a minimum above the default maximum',
      { adjustable_quantity: { minimum: 100 } },
      '/adjustable_quantity',
    ],
    [
      'an unknown key among the limits',
      { adjustable_quantity: { enabled: true } },
      '/adjustable_quantity/enabled',
    ],
    ['a limit of no sales', limit(0), '/restrictions/completed_sessions/limit'],
    [
      'restrictions without their limit',
      { restrictions: { completed_sessions: {} } },
      '/restrictions/completed_sessions/limit',
    ],
    ['empty restrictions', { restrictions: {} }, '/restrictions/completed_sessions'],
    ['a time to pay below a minute', { expires_in: 59 }, '/expires_in'],
    ['a time to pay of three hours', { expires_in: 10_800 }, '/expires_in'],
    ['confirm as a number', { confirm: 1 }, '/confirm'],
    ['21 metadata keys', { metadata: metadata(21) }, '/metadata'],
    [
      'a metadata key of 41 characters',
      { metadata: { ['k'.repeat(41)]: 'v' } },
      `/metadata/${'k'.repeat(41)}`,
    ],
    ['a metadata value of 501 characters', { metadata: { k: 'v'.repeat(501) } }, '/metadata/k'],
    ['a metadata value that is a number', { metadata: { k: 1 } }, '/metadata/k'],
    ['an empty metadata key', { metadata: { '': 'v' } }, '/metadata/'],
    ['a metadata key with a line break', { metadata: { 'a\nb': 'v' } }, '/metadata/a\nb'],
    ['an unknown key', { price: 2500 }, '/price'],
    ['__proto__ as a key', JSON.parse('{"__proto__": 1}'), '/__proto__'],
    ...['checkout_id', 'items', 'items_2', 'items_10', 'amount_total', 'link'].map(
      (key): [string, object, string] => [
        `our own metadata key ${key}`,
        { metadata: { [key]: 'x' } },
        `/metadata/${key}`,
      ],
    ),
  ])('%s', async (_, fields, pointer) => {
    expect(await refusal(fields)).toEqual([pointer])
  })

  it('a product without sku, name and amount', async () => {
    const fields = { sku: undefined, name: undefined, amount: undefined }
    expect(await refusal(fields)).toEqual(['/sku', '/name', '/amount'])
  })
})

describe('availability', () => {
  const at = (text: string) => new Date(text)
  const period = { starts_at: '2026-11-01T00:00:00Z', ends_at: '2026-12-24T00:00:00Z' }

  it('starts at starts_at and is over at ends_at', async () => {
    const product = await load(period)
    const stateAt = (text: string) => availability(product, at(text))
    expect(stateAt('2026-10-31T23:59:59.999Z')).toBe('not-yet')
    expect(stateAt('2026-11-01T00:00:00.000Z')).toBe('available')
    expect(stateAt('2026-12-23T23:59:59.999Z')).toBe('available')
    expect(stateAt('2026-12-24T00:00:00.000Z')).toBe('ended')
  })

  it('of an inactive product is inactive, whatever the date', async () => {
    const product = await load({ ...period, active: false })
    expect(availability(product, at('2026-11-11T00:00:00Z'))).toBe('inactive')
  })

  it('of a product without a sale period is available at any time', async () => {
    expect(availability(await load({}), at('2026-11-11T00:00:00Z'))).toBe('available')
  })
})

describe('quantity limits', () => {
  it('are 1 to 99 unless the product says otherwise, each on its own', async () => {
    expect(quantityLimits(await load({}))).toEqual({ minimum: 1, maximum: 99 })
    expect(quantityLimits(await load({ adjustable_quantity: { minimum: 2 } }))).toEqual({
      minimum: 2,
      maximum: 99,
    })
    expect(quantityLimits(await load({ adjustable_quantity: { maximum: 5 } }))).toEqual({
      minimum: 1,
      maximum: 5,
    })
  })

  it('keep the maximum total exact', () => {
    expect(Number.isSafeInteger(MAX_AMOUNT_CENTS * MAX_QUANTITY)).toBe(true)
  })
})

/** The schema of the whole file, for editors: JSON Schema 2020-12, with short lists on one line as biome has them. */
function schemaFile(): string {
  const strict = { additionalProperties: false }
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...Type.Object(
      {
        $schema: Type.Optional(
          Type.String({ title: 'Schema', description: 'Lets an editor check the file while it is written.' }),
        ),
        products: Type.Array(ProductSchema, { title: 'Products', description: 'Each sku once.' }),
      },
      { title: 'Catalog', description: 'The products that buy links can sell.', ...strict },
    ),
  }
  const oneLine = (list: string) => list.replace(/\s*\n\s*/g, ' ').replace(/^\[ | \]$/g, (end) => end.trim())
  return `${JSON.stringify(schema, null, 2).replace(/\[\n[^[\]{}]*\]/g, oneLine)}\n`
}

// `npx vitest run test/catalog/product.test.ts -u` writes the file anew.
it('catalog.schema.json is what the product schema says', async () => {
  await expect(schemaFile()).toMatchFileSnapshot('../../catalog.schema.json')
})
