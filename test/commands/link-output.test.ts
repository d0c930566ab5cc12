import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lengthLine } from '../../src/commands/link.ts'
import { LINK_BUDGETS } from '../../src/links/link-builder.ts'
import { qrPng, qrSvg } from '../../src/links/qr.ts'
import { expectUsage, link, linkFolder, SHOP } from './link-run.ts'
import { run } from './run-command.ts'

describe('what it prints beside the link', () => {
  test.each([
    ['print', 'fits everywhere', 'too long for QR codes and print (512)'],
    ['campaign', 'fits SMS', 'too long for SMS and campaigns (1,024)'],
    ['email', 'fits email', 'too long for email (2,048)'],
  ] as const)('a link fits the %s budget up to its last character', (budget, fits, tooLong) => {
    expect(lengthLine('a'.repeat(LINK_BUDGETS[budget]))).toContain(fits)
    expect(lengthLine('a'.repeat(LINK_BUDGETS[budget] + 1))).toContain(tooLong)
  })

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
      const { code, stdout, stderr } = await link(['tee', ...notes.flat()])
      expect(code).toBe(0)
      expect(stderr).toContain(`${stdout.trim().length} characters: `)
      expect(stderr).toContain(verdict)
    }
  })

  test('with --html is a button that mail programs show: a table with inline styles', async () => {
    const { code, stdout } = await link(
      ['tee', '--email', 'jo@example.com', '--utm-source', 'mail', '--html'],
      {
        ACCENT_COLOR: '#aa0000',
      },
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/^<table role="presentation"[\s\S]*<\/table>\n$/)
    expect(stdout).toContain('bgcolor="#aa0000"')
    const href = /href="([^"]*)"/.exec(stdout)?.[1]
    expect(href).toBe(`${SHOP}/buy/tee?buyer/email=jo%40example.com&amp;utm_source=mail`)
    expect(stdout).not.toMatch(/<style|class=|<script/)
  })

  test('with --qr is a file that holds the link as a code', async () => {
    const { folder, env } = await linkFolder()
    const [png, svg] = [join(folder, 'poster.png'), join(folder, 'poster.svg')]
    const { code, stdout, stderr } = await run('link', ['tee:2', '--qr', png], { env })
    expect([code, stdout]).toEqual([0, `${SHOP}/buy/tee:2\n`])
    expect(stderr).toContain(`Wrote ${png}.`)
    expect(await readFile(png)).toEqual(Buffer.from(qrPng(`${SHOP}/buy/tee:2`)))
    await run('link', ['tee:2', '--qr', svg], { env })
    expect(await readFile(svg, 'utf8')).toBe(qrSvg(`${SHOP}/buy/tee:2`))
  })

  test('is an error if the file cannot be written or the link is too long for a QR code', async () => {
    await expectUsage(
      ['tee', '--qr', 'no/such/folder/poster.png'],
      '--qr cannot write no/such/folder/poster.png',
    )
    const long = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((key) => ['--metadata', `${key}=${'z'.repeat(490)}`])
    await expectUsage(['tee', ...long, '--qr', 'poster.svg'], 'The link is too long for a QR code')
  })

  test('is a warning, and not that it fits print, where the link leads to this machine', async () => {
    const local = { PUBLIC_URL: '', PORT: '4321', DOTS_API_URL: 'http://localhost:4010/api' }
    for (const [env, origin] of [
      [local, 'http://localhost:4321'],
      [{ PUBLIC_URL: 'http://127.0.0.1:3000' }, 'http://127.0.0.1:3000'],
    ] as const) {
      const { code, stdout, stderr } = await link(['tee'], env)
      expect([code, stdout]).toEqual([0, `${origin}/buy/tee\n`])
      expect(stderr).toMatch(/^Warning: this link leads to this machine.*PUBLIC_URL/)
      expect(stderr).not.toContain('fits')
    }
  })

  test('with --help is the usage text', async () => {
    const { code, stdout } = await link(['--help'])
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
      expect(stdout).toContain(option)
    }
  })
})

describe('a wrong command line', () => {
  test('exits with 2, says what is wrong and how it is right, and prints no link', async () => {
    await expectUsage([], 'Name a product by its sku.')
    await expectUsage(['nothing'], 'The catalog has no product nothing.')
    await expectUsage(['mug:1'], 'mug is sold in quantities from 2 to 6.')
    await expectUsage(['mug:7'], 'mug is sold in quantities from 2 to 6.')
    await expectUsage(['tee', '--quantity', '0'], '--quantity takes a whole number')
    await expectUsage(['tee:2', '--quantity', '3'], '--quantity is for one product')
    await expectUsage(['tee', 'mug:2', '--quantity', '3'], '--quantity is for one product')
    await expectUsage(['tee', '--wrong'], "Unknown option '--wrong'")
    await expectUsage(['tee', '--metadata', 'nothing'], '--metadata takes KEY=VALUE')
    await expectUsage(['tee', '--metadata', 'items=mug:1'], 'metadata cannot be used')
    await expectUsage(['tee', '--email', 'jo'], 'email cannot be used')
    await expectUsage(['tee', '--reference', 'a b'], 'client_reference_id cannot be used')
    await expectUsage(['tee', '--continue-to', 'https://evil.example'], 'continue_to cannot be used')
    await expectUsage(['tee', '--qr', 'poster.gif'], '--qr takes a file that ends in .svg or .png.')
    await expectUsage(['~!'], 'No such link can be made')
  })

  test('invalid settings or an invalid catalog are explained, with exit code 1', async () => {
    const bad = await link(['tee'], { PUBLIC_URL: 'http://shop.example' })
    expect([bad.code, bad.stdout]).toEqual([1, ''])
    expect(bad.stderr).toContain('PUBLIC_URL')
    const absent = await link(['tee'], { PUBLIC_URL: '' })
    expect([absent.code, absent.stdout]).toEqual([1, ''])
    expect(absent.stderr).toContain('PUBLIC_URL is required')
    const short = await link(['tee', '--amount', '1'], { LINK_SIGNING_SECRET: 'abc' })
    expect([short.code, short.stdout]).toEqual([1, ''])
    expect(short.stderr).toContain('16 characters or more')
    const missing = await link(['tee'], { CATALOG_PATH: 'nowhere.json' })
    expect([missing.code, missing.stdout]).toEqual([1, ''])
    expect(missing.stderr).toMatch(/^The catalog is invalid:\n {2}there is no file nowhere\.json/)
  })
})
