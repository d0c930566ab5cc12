import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseItems } from '../../src/links/cart.ts'
import { readParameters } from '../../src/links/parameters.ts'
import { qrPng, qrSvg } from '../../src/links/qr.ts'
import { signedTerms, verifySignature } from '../../src/links/signature.ts'
import { lastAsked } from '../checkout/clicks.ts'
import { PRODUCTS, startService } from '../service.ts'

const COMMAND = resolve('src/commands/link.ts')
const SECRET = 'command-secret'
const SHOP = 'https://buy.shop.example'
const UUID = '2f1c3a52-7a1e-4c0e-9d8f-0a1b2c3d4e5f'
const CATALOG = [
  ...PRODUCTS,
  { sku: 'C:1,2', name: 'Signs', amount: 100 },
  { sku: 'a:2', name: 'Colon', amount: 100 },
]

interface Run {
  code: number | null
  out: string
  err: string
  folder: string
}

/** Runs the command as `npm run link -- …` does, in a folder with a catalog of its own and no other setting. */
async function link(words: string[], env: Record<string, string> = {}): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-link-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'catalog.json'), JSON.stringify({ products: CATALOG }))
  const child = spawn(process.execPath, [COMMAND, ...words], {
    cwd: folder,
    env: { PUBLIC_URL: SHOP, ...env },
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const { promise, resolve: end } = Promise.withResolvers<number | null>()
  child.once('close', end)
  return { code: await promise, out, err, folder }
}

/** Each run is a process of its own, which takes half a second, and more on a busy machine. */
const MANY_RUNS_MS = 60_000

const signing = { LINK_SIGNING_SECRET: `${SECRET},older-secret` }

/** What the printed link says, read as the service reads it. */
function read(printed: string) {
  const url = new URL(printed.trim())
  const said = {
    items: parseItems(decodeURIComponent(url.pathname.slice('/buy/'.length))),
    parameters: readParameters(url.search),
  }
  return { ...said, signature: verifySignature(said, [SECRET]), terms: signedTerms(said) }
}

async function expectLink(words: string[], path: string): Promise<void> {
  const { code, out, err } = await link(words)
  expect({ words, code, out }).toEqual({ words, code: 0, out: `${SHOP}${path}\n` })
  expect(err).toContain(`${SHOP.length + path.length} octets: fits everywhere, QR codes and print too.`)
}

async function expectUsage(
  words: string[],
  message: string,
  env: Record<string, string> = {},
): Promise<void> {
  const { code, out, err } = await link(words, env)
  expect({ words, code, out }).toEqual({ words, code: 2, out: '' })
  expect(err).toContain(message)
  expect(err).toContain('npm run link -- SKU[:N]')
}

describe('a plain link', () => {
  test('to one product, to several of it, and to a cart', async () => {
    await expectLink(['tee'], '/buy/tee')
    await expectLink(['tee:2'], '/buy/tee:2')
    await expectLink(['tee', '--quantity', '2'], '/buy/tee:2')
    await expectLink(['tee:2', 'mug:3'], '/buy/tee:2,mug:3')
    await expectLink(['tee', 'tee:2', 'mug:2'], '/buy/tee:3,mug:2')
  })

  test('to a sku with signs is written in its ~ form', async () => {
    const token = `~${Buffer.from('C:1,2').toString('base64url')}`
    await expectLink(['C:1,2'], `/buy/${token}`)
    await expectLink([token, '--quantity', '2'], `/buy/${token}:2`)
  })

  test('says who buys and where the click came from', async () => {
    const { code, out } = await link([
      'tee',
      '--quantity',
      '2',
      '--email',
      'jo+tee@example.com',
      '--reference',
      'order-7',
      '--metadata',
      'seat=A1',
      '--metadata',
      'note=a = b',
      '--utm-source',
      'mail',
      '--utm-medium',
      'email',
      '--utm-campaign',
      'spring sale',
      '--utm-term',
      'tee',
      '--utm-content',
      'top',
      '--ref',
      'jo',
      '--continue-to',
      '/products/tee',
    ])
    expect(code).toBe(0)
    const { parameters, items, signature } = read(out)
    expect(items).toEqual({ form: 'permalink', cart: [{ sku: 'tee', quantity: 2 }] })
    expect(parameters).toMatchObject({
      email: 'jo+tee@example.com',
      clientReferenceId: 'order-7',
      metadata: { seat: 'A1', note: 'a = b' },
      attribution: {
        utm_source: 'mail',
        utm_medium: 'email',
        utm_campaign: 'spring sale',
        utm_term: 'tee',
        utm_content: 'top',
        ref: 'jo',
      },
      continueTo: '/products/tee',
    })
    expect(signature).toBe('unsigned')
  })

  test('needs no account at Dots and no secret, and is not signed where it need not be', async () => {
    const { code, out } = await link(['tee', '--email', 'jo@example.com'], signing)
    expect([code, out]).toEqual([0, `${SHOP}/buy/tee?buyer/email=jo%40example.com\n`])
  })

  test('to a product that is not active is printed with a note', async () => {
    const { code, out, err } = await link(['lamp'])
    expect([code, out]).toEqual([0, `${SHOP}/buy/lamp\n`])
    expect(err).toContain('Note: lamp is not active')
  })
})

describe('a signed link', () => {
  test('carries each of its terms under a signature of the first secret', async () => {
    const before = Math.floor(Date.now() / 1000)
    const { code, out } = await link(
      [
        'tee',
        '--quantity',
        '2',
        '--email',
        'a@b.example',
        '--amount',
        '1900',
        '--expires',
        '7d',
        '--uses',
        '3',
        '--customer-id',
        UUID,
      ],
      signing,
    )
    expect(code).toBe(0)
    const { signature, terms } = read(out)
    expect(signature).toBe('valid')
    expect(terms).toMatchObject({ amount: 1900, uses: 3, customerId: UUID })
    const week = 7 * 24 * 3600
    expect((terms.expiresAt?.getTime() ?? 0) / 1000).toBeGreaterThanOrEqual(before + week)
    expect((terms.expiresAt?.getTime() ?? 0) / 1000).toBeLessThan(before + week + 60)
  })

  test('ends after minutes, hours, days, or at a time', async () => {
    for (const [words, seconds] of [
      ['30m', 1_800],
      ['24h', 86_400],
    ] as const) {
      const { out } = await link(['tee', '--expires', words], signing)
      const left = (read(out).terms.expiresAt?.getTime() ?? 0) - Date.now()
      expect(Math.abs(left / 1000 - seconds)).toBeLessThan(60)
    }
    const { out } = await link(['tee', '--expires', '2099-12-24T18:00:00Z'], signing)
    expect(read(out).terms.expiresAt).toEqual(new Date('2099-12-24T18:00:00Z'))
    expect(read((await link(['tee', '--user-id', UUID], signing)).out).terms.userId).toBe(UUID)
  })

  test('sells at its price', async () => {
    const shop = await startService({ env: { LINK_SIGNING_SECRET: SECRET } })
    const { out } = await link(['tee:2', '--amount', '1900'], { ...signing, PUBLIC_URL: shop.url })
    expect((await fetch(out.trim(), { redirect: 'manual' })).status).toBe(303)
    expect(lastAsked(shop).line_items).toMatchObject([{ quantity: 2, price_data: { amount: 1900 } }])
  })

  test('cannot be made without a secret', async () => {
    for (const words of [
      ['--amount', '1900'],
      ['--customer-id', UUID],
      ['--user-id', UUID],
      ['--expires', '7d'],
      ['--uses', '1'],
    ]) {
      await expectUsage(['tee', ...words], 'set LINK_SIGNING_SECRET')
    }
  })

  test(
    'is refused where its terms make no sense',
    async () => {
      for (const words of [
        ['--amount', '0'],
        ['--amount', '19.00'],
        ['--uses', '-1'],
        ['--expires', '7w'],
        ['--expires', '2020-01-01'],
        ['--customer-id', 'jo'],
        ['--customer-id', UUID, '--user-id', UUID],
        ['mug:2', '--amount', '1900'],
      ]) {
        const { code, out, err } = await link(['tee', ...words], signing)
        expect({ words, code, out }).toEqual({ words, code: 2, out: '' })
        expect(err).toContain('Prints a buy link')
      }
    },
    MANY_RUNS_MS,
  )
})

describe('what it prints beside the link', () => {
  test('is the length against the budgets of print, SMS and email', async () => {
    const note = (length: number) => ['--metadata', `a=${'x'.repeat(length)}`]
    for (const [notes, verdict] of [
      [[note(400)], 'fits everywhere'],
      [[note(490)], 'too long for QR codes and print (512)'],
      [[note(490), ['--metadata', `b=${'y'.repeat(490)}`]], 'too long for SMS and campaigns (1,024)'],
      [
        ['a', 'b', 'c', 'd', 'e'].map((key) => ['--metadata', `${key}=${'z'.repeat(450)}`]),
        'too long for email (2,048)',
      ],
    ] as const) {
      const { code, out, err } = await link(['tee', ...notes.flat()])
      expect(code).toBe(0)
      expect(err).toContain(`${out.trim().length} octets: `)
      expect(err).toContain(verdict)
    }
  })

  test('with --html is a button that mail programs show: a table with inline styles', async () => {
    const { code, out } = await link(['tee', '--email', 'jo@example.com', '--utm-source', 'mail', '--html'], {
      ACCENT_COLOR: '#aa0000',
    })
    expect(code).toBe(0)
    expect(out).toMatch(/^<table role="presentation"[\s\S]*<\/table>\n$/)
    expect(out).toContain('bgcolor="#aa0000"')
    const href = /href="([^"]*)"/.exec(out)?.[1]
    expect(href).toBe(`${SHOP}/buy/tee?buyer/email=jo%40example.com&amp;utm_source=mail`)
    expect(out).not.toMatch(/<style|class=|<script/)
  })

  test('with --qr is a file that holds the link as a code', async () => {
    const png = await link(['tee:2', '--qr', 'poster.png'])
    expect([png.code, png.out]).toEqual([0, `${SHOP}/buy/tee:2\n`])
    expect(png.err).toContain('Wrote poster.png.')
    expect(await readFile(join(png.folder, 'poster.png'))).toEqual(Buffer.from(qrPng(`${SHOP}/buy/tee:2`)))
    const svg = await link(['tee:2', '--qr', 'poster.svg'])
    expect(await readFile(join(svg.folder, 'poster.svg'), 'utf8')).toBe(qrSvg(`${SHOP}/buy/tee:2`))
  })

  test('is no code where the file cannot be written or the link is too long for one', async () => {
    await expectUsage(
      ['tee', '--qr', 'no/such/folder/poster.png'],
      '--qr cannot write no/such/folder/poster.png',
    )
    const long = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((key) => ['--metadata', `${key}=${'z'.repeat(490)}`])
    await expectUsage(['tee', ...long, '--qr', 'poster.svg'], 'The link is too long for a QR code')
  })

  test('with --help is how it is used', async () => {
    const { code, out } = await link(['--help'])
    expect(code).toBe(0)
    for (const option of [
      '--quantity',
      '--email',
      '--reference',
      '--metadata',
      '--utm-source',
      '--amount',
      '--customer-id',
      '--user-id',
      '--expires',
      '--uses',
      '--html',
      '--qr',
      '--continue-to',
    ]) {
      expect(out).toContain(option)
    }
  })
})

describe('a wrong command line', () => {
  test(
    'exits with 2, says what is wrong and how it is right, and prints no link',
    async () => {
      await expectUsage([], 'Name a product by its sku.')
      await expectUsage(['nothing'], 'The catalog has no product nothing.')
      await expectUsage(['mug'], 'mug is sold in quantities from 2 to 6.')
      await expectUsage(['mug:7'], 'mug is sold in quantities from 2 to 6.')
      await expectUsage(['tee', '--quantity', '0'], '--quantity takes a whole number')
      await expectUsage(['tee:2', '--quantity', '3'], '--quantity is for one product')
      await expectUsage(['tee', 'mug:2', '--quantity', '3'], '--quantity is for one product')
      await expectUsage(['tee', '--wrong'], "Unknown option '--wrong'")
      await expectUsage(['tee', '--metadata', 'nothing'], '--metadata takes KEY=VALUE')
      await expectUsage(['tee', '--metadata', 'items=mug:1'], 'metadata can not be used')
      await expectUsage(['tee', '--email', 'jo'], 'email can not be used')
      await expectUsage(['tee', '--reference', 'a b'], 'client_reference_id can not be used')
      await expectUsage(['tee', '--continue-to', 'https://evil.example'], 'continue_to can not be used')
      await expectUsage(['tee', '--qr', 'poster.gif'], '--qr takes a file that ends in .svg or .png.')
      await expectUsage(['~!'], 'No such link can be made')
    },
    MANY_RUNS_MS,
  )

  test('settings or a catalog that cannot be used are said in words, with 1', async () => {
    const bad = await link(['tee'], { PUBLIC_URL: 'http://shop.example' })
    expect([bad.code, bad.out]).toEqual([1, ''])
    expect(bad.err).toContain('PUBLIC_URL')
    const missing = await link(['tee'], { CATALOG_PATH: 'nowhere.json' })
    expect([missing.code, missing.out]).toEqual([1, ''])
    expect(missing.err).not.toMatch(/\n\s+at /)
  })
})
