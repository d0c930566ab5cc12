import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import Type from 'typebox'
import { beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../src/config.ts'
import { ConfigSchema } from '../src/settings.ts'

const REQUIRED = { DOTS_CLIENT_ID: 'client', DOTS_API_KEY: 'key' }
const SECRETS = [
  'DOTS_CLIENT_ID',
  'DOTS_API_KEY',
  'DOTS_WEBHOOK_SECRET',
  'DATABASE_URL',
  'REDIS_URL',
  'LINK_SIGNING_SECRET',
  'ADMIN_TOKEN',
  'FULFILLMENT_SECRET',
]
let text: string
beforeAll(async () => {
  text = await readFile(new URL('../.env.example', import.meta.url), 'utf8')
})

/** The settings with every `# NAME=value` line switched on. */
function switchedOn(): NodeJS.Dict<string> {
  return parseEnv(text.replace(/^# ?(?=[A-Z_]+=)/gm, ''))
}

test('it has every setting of the schema, once, and nothing else', () => {
  const names = [...text.matchAll(/^(?:# ?)?([A-Z_]+)=/gm)].map(([, name]) => name)
  expect(names.toSorted()).toEqual(Object.keys(ConfigSchema.properties).sort())
})

test('each setting has an explanation above it', () => {
  const paragraphs = text.split(/\n\s*\n/).filter((part) => /^(?:# ?)?[A-Z_]+=/m.test(part))
  for (const paragraph of paragraphs) expect(paragraph).toMatch(/^# [A-Z][^\n]{20,}\n/)
})

test('only what is required is switched on, and it is empty', () => {
  const required = Object.entries(ConfigSchema.properties)
    .filter(([, schema]) => !('default' in schema) && !Type.IsOptional(schema))
    .map(([name]) => [name, ''])
  expect(parseEnv(text)).toEqual(Object.fromEntries(required))
})

test('what has a default shows it', () => {
  const shown = switchedOn()
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    if ('default' in schema) expect(shown[name], name).toBe(String(schema.default))
  }
})

test('with every commented line switched on, the settings are valid', () => {
  expect(loadConfig({ ...switchedOn(), ...REQUIRED }).port).toBe(3000)
})

test('it mentions NAME_FILE for each setting that may come from a file, and for no other', () => {
  const paragraphs = text.split(/\n\s*\n/)
  for (const name of Object.keys(ConfigSchema.properties)) {
    const paragraph = paragraphs.find((part) => new RegExp(`^(?:# ?)?${name}=`, 'm').test(part))
    expect(paragraph?.includes(`${name}_FILE`), name).toBe(SECRETS.includes(name))
  }
})
