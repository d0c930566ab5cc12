import { describe, expect, test } from 'vitest'
import { lastAsked } from '../checkout/clicks.ts'
import { startService } from '../service.ts'
import { expectLink, expectUsage, link, read, SECRET, SHOP, signing, UUID } from './link-run.ts'
import { envOf, runScript } from './run-command.ts'

describe('a plain link', () => {
  test('to one product, to several of it, and to a cart', async () => {
    await expectLink(['tee'], '/buy/tee')
    await expectLink(['tee:2'], '/buy/tee:2')
    await expectLink(['tee', '--quantity', '2'], '/buy/tee:2')
    await expectLink(['tee:2', 'mug:3'], '/buy/tee:2,mug:3')
    await expectLink(['tee', 'tee:2', 'mug:2'], '/buy/tee:3,mug:2')
  })

  test('is for the least quantity of a product where none is given', async () => {
    await expectLink(['mug'], '/buy/mug:2')
    await expectLink(['tee', 'mug'], '/buy/tee:1,mug:2')
    await expectLink(['mug', '--quantity', '3'], '/buy/mug:3')
  })

  test('to a sku with special characters is written in its ~ form', async () => {
    const token = `~${Buffer.from('C:1,2').toString('base64url')}`
    await expectLink(['C:1,2'], `/buy/${token}`)
    await expectLink([token, '--quantity', '2'], `/buy/${token}:2`)
  })

  test('says who buys and where the click comes from', async () => {
    const { code, stdout } = await link([
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
    const { parameters, items, signature } = read(stdout)
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
    const { code, stdout } = await link(['tee', '--email', 'jo@example.com'], signing)
    expect([code, stdout]).toEqual([0, `${SHOP}/buy/tee?buyer/email=jo%40example.com\n`])
  })

  test('to a product that is not active is printed with a note', async () => {
    const { code, stdout, stderr } = await link(['lamp'])
    expect([code, stdout]).toEqual([0, `${SHOP}/buy/lamp\n`])
    expect(stderr).toContain('Note: lamp is not active')
  })
})

describe('a signed link', () => {
  test('carries each of its terms under a signature of the first secret', async () => {
    const before = Math.floor(Date.now() / 1000)
    const { code, stdout } = await link(
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
    const { signature, terms } = read(stdout)
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
      const { stdout } = await link(['tee', '--expires', words], signing)
      const left = (read(stdout).terms.expiresAt?.getTime() ?? 0) - Date.now()
      expect(Math.abs(left / 1000 - seconds)).toBeLessThan(60)
    }
    const { stdout } = await link(['tee', '--expires', '2099-12-24T18:00:00Z'], signing)
    expect(read(stdout).terms.expiresAt).toEqual(new Date('2099-12-24T18:00:00Z'))
    expect(read((await link(['tee', '--user-id', UUID], signing)).stdout).terms.userId).toBe(UUID)
  })

  test('sells at its price, made by `npm run link`', async () => {
    const shop = await startService({ env: { LINK_SIGNING_SECRET: SECRET } })
    const env = envOf(shop, { ...signing, DOTS_CLIENT_ID: '', DOTS_API_KEY: '' })
    const { code, stdout } = await runScript('link', ['tee:2', '--amount', '1900'], env)
    expect(code).toBe(0)
    expect((await fetch(stdout.trim(), { redirect: 'manual' })).status).toBe(303)
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

  test('is refused where its terms make no sense', async () => {
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
      const { code, stdout, stderr } = await link(['tee', ...words], signing)
      expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: '' })
      expect(stderr).toContain('Prints a buy link')
    }
  })
})
