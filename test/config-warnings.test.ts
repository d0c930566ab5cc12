import { expect, test } from 'vitest'
import { configWarnings, loadConfig } from '../src/config.ts'

const keyOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 'k').toString('base64')}`
const STRONG = {
  DOTS_CLIENT_ID: 'client',
  DOTS_API_KEY: 'key',
  PUBLIC_URL: 'https://buy.shop.example',
  DOTS_WEBHOOK_SECRET: keyOf(24),
  LINK_SIGNING_SECRET: 'sixteen-letters!',
  FULFILLMENT_URL: 'https://shop.example/orders',
  FULFILLMENT_SECRET: keyOf(24),
}

const warningsOf = (settings: Record<string, string>) =>
  configWarnings(loadConfig({ ...STRONG, ...settings }))

test('strong settings give no warning', () => {
  expect(warningsOf({})).toEqual([])
})

test('a missing webhook secret is reported, with how payments are found without it', () => {
  expect(warningsOf({ DOTS_WEBHOOK_SECRET: '' })).toEqual([
    {
      event: 'config.webhooks.off',
      message: expect.stringMatching(
        /^DOTS_WEBHOOK_SECRET is not set: .+ returns, or by the sweep up to three hours/,
      ),
    },
  ])
})

test('the start says that nobody is told of sales where there is no address for them', () => {
  expect(warningsOf({ FULFILLMENT_URL: '', FULFILLMENT_SECRET: '' })).toEqual([
    {
      event: 'config.fulfillment.off',
      message: expect.stringMatching(/^FULFILLMENT_URL is not set: nobody is told of sales/),
    },
  ])
})

test.each([
  ['DOTS_WEBHOOK_SECRET', keyOf(23)],
  ['DOTS_WEBHOOK_SECRET', `${keyOf(32)},${keyOf(23)}`],
  ['FULFILLMENT_SECRET', keyOf(23)],
])('a %s that can be guessed is accepted, and reported by its name alone', (name, value) => {
  const warnings = warningsOf({ [name]: value })
  expect(warnings).toEqual([
    { event: 'config.secret.weak', message: expect.stringMatching(new RegExp(`^${name} is weak: `)) },
  ])
  for (const secret of value.split(',')) expect(warnings[0]?.message).not.toContain(secret)
})

test('an admin token is reported to have no effect, and a short one to be weak as well', () => {
  const idle = {
    event: 'config.admin.off',
    message: expect.stringContaining('ADMIN_TOKEN has no effect: /admin and /metrics'),
  }
  expect(warningsOf({ ADMIN_TOKEN: 'a-token-of-letters' })).toEqual([idle])
  const warnings = warningsOf({ ADMIN_TOKEN: 'hunter2' })
  expect(warnings).toEqual([
    idle,
    { event: 'config.secret.weak', message: expect.stringMatching(/^ADMIN_TOKEN is weak: /) },
  ])
  expect(JSON.stringify(warnings)).not.toContain('hunter2')
})
