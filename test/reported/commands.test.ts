import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { run, runBeside } from '../commands/run-command.ts'
import { startService } from '../service.ts'

const PRODUCTS = [
  { sku: 'tee', name: 'Tee', amount: 2500, metadata: { color: 'black' } },
  { sku: 'postcards-6', name: 'Postcards', amount: 900, adjustable_quantity: { minimum: 2, maximum: 20 } },
  { sku: 'café', name: 'Coffee', amount: 900 },
  { sku: "o'neill", name: 'Cap', amount: 700 },
  { sku: 'a:1', name: 'Colon', amount: 700 },
]

async function folderWith(products: unknown = PRODUCTS) {
  const folder = await mkdtemp(join(tmpdir(), 'reported-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'catalog.json')
  await writeFile(path, typeof products === 'string' ? products : JSON.stringify({ products }))
  return { folder, path, env: { CATALOG_PATH: path, PUBLIC_URL: 'https://buy.shop.example' } }
}

describe('npm run link', () => {
  test('without PUBLIC_URL is an error that names it, and draws no code', async () => {
    const { folder, path } = await folderWith()
    const file = join(folder, 'p.png')
    const { code, stdout, stderr } = await run('link', ['tee', '--qr', file], { env: { CATALOG_PATH: path } })
    expect([code, stdout, existsSync(file)]).toEqual([1, '', false])
    expect(stderr).toContain('PUBLIC_URL')
  })

  test('with a Dots on this machine is printed with a warning, and is no link for print', async () => {
    const { path } = await folderWith()
    const env = { CATALOG_PATH: path, DOTS_API_URL: 'http://127.0.0.1:4010/api' }
    const { code, stdout, stderr } = await run('link', ['tee'], { env })
    expect([code, stdout]).toEqual([0, 'http://localhost:3000/buy/tee\n'])
    expect(stderr).toContain('Warning')
    expect(stderr).not.toContain('fits')
  })

  test.each([
    [['postcards-6'], '/buy/postcards-6:2'],
    [['tee', 'postcards-6'], '/buy/tee:1,postcards-6:2'],
    [['cafe\u0301'], `/buy/~${Buffer.from('café').toString('base64url')}`],
    [['cafe\u0301:2'], `/buy/~${Buffer.from('café').toString('base64url')}:2`],
    [['o’neill'], `/buy/~${Buffer.from("o'neill").toString('base64url')}`],
    [['te\u200be'], '/buy/tee'],
    [['a:1'], `/buy/~${Buffer.from('a:1').toString('base64url')}`],
    [['a:1:3'], `/buy/~${Buffer.from('a:1').toString('base64url')}:3`],
  ])('%j is %s', async (words, path) => {
    const { env } = await folderWith()
    expect(await run('link', words, { env })).toMatchObject({
      code: 0,
      stdout: `https://buy.shop.example${path}\n`,
    })
  })

  test('says which sku may be meant', async () => {
    const { env } = await folderWith()
    expect((await run('link', ['postcard-6'], { env })).stderr).toContain('Do you mean postcards-6?')
  })

  test.each(['abc', 'long-enough-secret,short'])('with the weak secret %s signs nothing', async (secret) => {
    const { env } = await folderWith()
    const { code, stdout, stderr } = await run('link', ['tee', '--amount', '1'], {
      env: { ...env, LINK_SIGNING_SECRET: secret },
    })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('LINK_SIGNING_SECRET')
  })

  test('--html has no line over 998 octets, whatever the link, and its href is the link', async () => {
    const { env } = await folderWith()
    for (const length of [0, 300, 480, 500]) {
      const words = [
        'tee',
        ...['a', 'b', 'c'].flatMap((key) => ['--metadata', `${key}=${'&é'.repeat(length / 5)}x`]),
      ]
      const html = (await run('link', [...words, '--html'], { env })).stdout
      for (const line of html.split('\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998)
      const [, href = ''] = /href="([^"]*)"/.exec(html) ?? []
      const link = (await run('link', words, { env })).stdout.trim()
      expect(new URL(href.replaceAll('&amp;', '&')).href).toBe(link)
    }
  })

  test('--out writes a file that npm has printed nothing into', async () => {
    const { folder, env } = await folderWith()
    const file = join(folder, 'link.txt')
    expect(await run('link', ['tee', '--out', file], { env })).toMatchObject({ code: 0, stdout: '' })
    expect(await readFile(file, 'utf8')).toBe('https://buy.shop.example/buy/tee\n')
    const refused = await run('link', ['tee', '--out', join(folder, 'no', 'link.txt')], { env })
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('--out cannot write')
  })

  test('says that the metadata of the catalog wins', async () => {
    const { env } = await folderWith()
    const { code, stderr } = await run('link', ['tee', '--metadata', 'color=red'], { env })
    expect(code).toBe(0)
    expect(stderr).toContain('the catalog sets the metadata color of tee')
  })
})

describe('npm run orders', () => {
  test('shows skus as they are, finds them however they are typed, and writes files', async () => {
    const shop = await startService({ products: PRODUCTS })
    await shop.get(`/buy/~${Buffer.from('café').toString('base64url')}:1,tee:2`)
    const orders = (...argv: string[]) => runBeside(shop, 'orders', argv)
    for (const format of [[], ['--csv'], ['--json']]) {
      const { stdout } = await orders(...format)
      expect(stdout).toContain('café:1,tee:2')
      expect(stdout).not.toContain('~')
    }
    for (const sku of ['café', 'cafe\u0301', 'caf\u200bé', `~${Buffer.from('café').toString('base64url')}`]) {
      expect((await orders('--sku', sku)).stdout).toContain('1 checkouts')
    }
    expect((await orders('--sku', 'caf')).stdout).toContain('0 checkouts')
    const file = join(shop.folder, 'orders.csv')
    expect(await orders('--csv', '--out', file)).toMatchObject({ code: 0, stdout: '' })
    expect(await readFile(file, 'utf8')).toBe((await orders('--csv')).stdout)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await readdir(shop.folder)).filter((name) => name.includes('partial'))).toEqual([])
  })

  test.each(['orders', 'reconcile', 'backup'] as const)(
    '%s makes no database where there is none',
    async (name) => {
      const { folder, env } = await folderWith()
      const path = join(folder, 'data', 'wrong.db')
      const settings = { ...env, DOTS_CLIENT_ID: 'a', DOTS_API_KEY: 'b', DATABASE_URL: `sqlite:${path}` }
      const argv = { orders: [], reconcile: ['--since', '1d'], backup: [join(folder, 'copy.db')] }[name]
      const { code, stderr } = await run(name, argv, { env: settings })
      expect(code).toBe(1)
      expect(stderr).toContain(path)
      expect(await readdir(folder)).toEqual(['catalog.json'])
    },
  )
})

describe('npm run check-catalog', () => {
  test('lists what it read, with prices as buyers see them, and warns below $1.00', async () => {
    const { path } = await folderWith([
      { sku: 'tee', name: 'Tee', amount: 2500, adjustable_quantity: { minimum: 1, maximum: 10 } },
      { sku: 'pin', name: 'Pin', amount: 25, active: false },
    ])
    const { code, stdout, stderr } = await run('check-catalog', [path])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^tee\s+\$25\.00 {2}Tee \(1 to 10\)$/m)
    expect(stdout).toMatch(/^pin\s+\$0\.25 {2}Pin \(off sale\)$/m)
    expect(stderr).toMatch(/Warning: .*\/products\/1\/amount {2}pin: costs \$0\.25\. Amounts are cents/)
  })

  test('says line, column, sku and cents of an amount that is written as dollars', async () => {
    const { path } = await folderWith('{"products": [\n  {"sku": "tee", "name": "Tee", "amount": 25.00}\n]}')
    const { code, stderr } = await run('check-catalog', [path])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /catalog\.json:2:33 {2}\/products\/0\/amount {2}tee: must be a whole number of cents.*2500 is \$25\.00.*25\.00/,
    )
  })
})
