import { expect, test } from 'vitest'
import { loadConfig } from '../src/config.ts'
import { startWarnings } from '../src/start-warnings.ts'

const keyOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 'k').toString('base64')}`
const STRONG = {
  DOTS_CLIENT_ID: 'client',
  DOTS_API_KEY: 'key',
  DOTS_WEBHOOK_SECRET: keyOf(24),
  LINK_SIGNING_SECRET: 'sixteen-letters!',
  FULFILLMENT_URL: 'https://shop.example/orders',
  FULFILLMENT_SECRET: keyOf(24),
}

async function warningsOf(settings: Record<string, string>): Promise<string[]> {
  return startWarnings(await loadConfig({ ...STRONG, ...settings }))
}

test('settings that are as they should be give no warning', async () => {
  expect(await warningsOf({})).toEqual([])
})

test('a missing webhook secret is told', async () => {
  expect(await warningsOf({ DOTS_WEBHOOK_SECRET: '' })).toEqual([
    'DOTS_WEBHOOK_SECRET is not set: sales are found by the return page alone',
  ])
})

test.each([
  ['LINK_SIGNING_SECRET', 'fifteen-letters'],
  ['LINK_SIGNING_SECRET', `${STRONG.LINK_SIGNING_SECRET},fifteen-letters`],
  ['DOTS_WEBHOOK_SECRET', keyOf(23)],
  ['DOTS_WEBHOOK_SECRET', `${keyOf(32)},${keyOf(23)}`],
  ['FULFILLMENT_SECRET', keyOf(23)],
])('a %s that can be guessed is taken, and told by its name alone', async (name, value) => {
  const [warning, ...more] = await warningsOf({ [name]: value })
  expect(warning).toMatch(new RegExp(`^${name} is weak: `))
  expect(more).toEqual([])
  for (const secret of value.split(',')) expect(warning).not.toContain(secret)
})

test('an admin token is told to have no effect, and a short one to be weak as well', async () => {
  const idle = expect.stringContaining('ADMIN_TOKEN has no effect: /admin and /metrics')
  expect(await warningsOf({ ADMIN_TOKEN: 'a-token-of-letters' })).toEqual([idle])
  const warnings = await warningsOf({ ADMIN_TOKEN: 'hunter2' })
  expect(warnings).toEqual([idle, expect.stringMatching(/^ADMIN_TOKEN is weak: /)])
  expect(warnings.join()).not.toContain('hunter2')
})
