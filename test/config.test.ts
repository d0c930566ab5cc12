import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastifyEnv from '@fastify/env'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Config,
  ConfigError,
  configError,
  configOf,
  envOptions,
  loadConfig,
  readEnvironment,
} from '../src/config.ts'
import type { Settings } from '../src/settings.ts'

const REQUIRED = { DOTS_CLIENT_ID: 'client', DOTS_API_KEY: 'key' }
const WEBHOOK_SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, yes').toString('base64')}`

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'buy-links-config-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function load(settings: Record<string, string> = {}): Config {
  return loadConfig({ ...REQUIRED, ...settings })
}

function errorOf(settings: Record<string, string>, dotenvPath?: string): ConfigError {
  try {
    loadConfig(settings, { dotenvPath })
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('the settings were accepted')
}

function problemsOf(settings: Record<string, string>, dotenvPath?: string): readonly string[] {
  return errorOf(settings, dotenvPath).problems
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

test('with only the credentials set, everything else has its documented default', () => {
  const { trustsProxy, ...config } = load()
  expect(config).toEqual({
    dots: {
      apiUrl: 'https://api.dots.dev/api',
      clientId: 'client',
      apiKey: 'key',
      appId: undefined,
      maxInFlight: 128,
      webhookSecrets: [],
      checkoutHosts: [],
      allowHttpCheckout: false,
    },
    host: '0.0.0.0',
    port: 3000,
    catalogPath: 'catalog.json',
    databaseUrl: 'sqlite:data/buy-links.db',
    rateLimit: { max: 60, windowSeconds: 60 },
    checkoutExpiresIn: 10_799,
    linkSigningSecrets: [],
    linkProtection: 'standard',
    adminToken: undefined,
    fulfillment: undefined,
    shop: { name: 'Shop', publicUrl: 'http://localhost:3000' },
    logLevel: 'info',
  })
  expect(trustsProxy('127.0.0.1')).toBe(false)
})

test('all problems are reported at once, one sentence each', () => {
  const problems = problemsOf({
    DOTS_API_URL: 'nowhere',
    PORT: 'x',
    LOG_LEVEL: 'loud',
    FULFILLMENT_URL: 'https://erp.example/',
    ADMIN_TOKEN_FILE: join(folder, 'missing'),
  })
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
    'ADMIN_TOKEN_FILE',
    'DOTS_API_KEY',
    'DOTS_API_URL',
    'DOTS_CLIENT_ID',
    'FULFILLMENT_SECRET',
    'LOG_LEVEL',
    'PORT',
  ])
})

test.each([
  ['FULFILLMENT_URL', { FULFILLMENT_SECRET: 'whsec_AAAA' }],
  ['FULFILLMENT_SECRET', { FULFILLMENT_URL: 'https://erp.example/' }],
])('%s is required where its companion is set', (missing, settings) => {
  expect(problemsOf({ ...REQUIRED, ...settings })).toEqual([
    expect.stringMatching(new RegExp(`^${missing} is required where`)),
  ])
})

test('an empty value counts as absent, for what is required and for what has a default', () => {
  const config = load({ PORT: '', DOTS_APP_ID: '  ', LOG_LEVEL: '', FULFILLMENT_URL: '' })
  expect(config.port).toBe(3000)
  expect(config.dots.appId).toBeUndefined()
  expect(config.fulfillment).toBeUndefined()
  expect(problemsOf({ ...REQUIRED, DOTS_API_KEY: '' })).toEqual([
    expect.stringMatching(/^DOTS_API_KEY is required/),
  ])
})

test('environment variables that are not settings are ignored', () => {
  expect(load({ HOME: '/root', npm_config_x: 'y' })).toEqual({ ...load(), trustsProxy: expect.any(Function) })
})

test('the settings cannot be changed once they are read', () => {
  const config = load()
  for (const part of [config, config.dots, config.shop, config.rateLimit])
    expect(Object.isFrozen(part)).toBe(true)
})

test('@fastify/env reads the same configuration, and reports the same problems', async () => {
  const environment = { ...REQUIRED, PORT: '8080', SUPPORT_EMAIL: 'help@shop.example' }
  const app = Fastify()
  await app.register(fastifyEnv, envOptions(readEnvironment(environment).texts))
  const functions = { trustsProxy: expect.any(Function) }
  expect(configOf(app.getEnvs<Settings>())).toEqual({ ...loadConfig(environment), ...functions })
  await app.close()

  const wrong = { PORT: 'x', DOTS_API_KEY_FILE: join(folder, 'missing') }
  const { texts, problems } = readEnvironment(wrong)
  const broken = Fastify()
  const error: unknown = await broken.register(fastifyEnv, envOptions(texts)).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(configError(error, problems).problems).toEqual(problemsOf(wrong))
  await broken.close()
})

test('an error that is not a validation error is rethrown', () => {
  const bug = new Error('a bug')
  expect(() => configError(bug, new Map())).toThrow(bug)
})

describe('secrets from files', () => {
  const SECRETS: [name: string, secret: string, read: (config: Config) => unknown][] = [
    ['DOTS_CLIENT_ID', 'client-2', ({ dots }) => dots.clientId],
    ['DOTS_API_KEY', 'key-2', ({ dots }) => dots.apiKey],
    ['DOTS_WEBHOOK_SECRET', WEBHOOK_SECRET, ({ dots }) => dots.webhookSecrets.join()],
    ['DATABASE_URL', 'sqlite:other.db', ({ databaseUrl }) => databaseUrl],
    ['LINK_SIGNING_SECRET', 'signing', ({ linkSigningSecrets }) => linkSigningSecrets.join()],
    ['ADMIN_TOKEN', 'token', ({ adminToken }) => adminToken],
    ['FULFILLMENT_SECRET', WEBHOOK_SECRET, ({ fulfillment }) => fulfillment?.secrets.join()],
  ]

  function others(name: string): Record<string, string> {
    const { [name]: _fromFile, ...rest }: Record<string, string> = REQUIRED
    return name === 'FULFILLMENT_SECRET' ? { ...rest, FULFILLMENT_URL: 'https://erp.example/' } : rest
  }

  test.each(SECRETS)('%s_FILE is read, without the line break at its end', (name, secret, read) => {
    const path = file(`${name}-good`, `${secret}\n`)
    expect(read(loadConfig({ ...others(name), [`${name}_FILE`]: path }))).toBe(secret)
  })

  test('a line break as Windows writes it goes too, spaces stay', () => {
    const path = file('crlf', ' signing secret \r\n')
    const { linkSigningSecrets } = load({ LINK_SIGNING_SECRET_FILE: path })
    expect(linkSigningSecrets).toEqual(['signing secret'])
  })

  test.each(SECRETS)('%s given twice, missing or empty is one problem', (name, secret) => {
    const both = { [name]: secret, [`${name}_FILE`]: file(`${name}-both`, secret) }
    expect(problemsOf({ ...others(name), ...both })).toEqual([
      `${name} and ${name}_FILE are both set: keep one of them.`,
    ])
    const missing = { [`${name}_FILE`]: join(folder, 'nowhere') }
    expect(problemsOf({ ...others(name), ...missing })).toEqual([
      expect.stringMatching(new RegExp(`^${name}_FILE names a file that cannot be read`)),
    ])
    for (const nothing of ['', '\n', ' \r\n\n']) {
      const empty = { [`${name}_FILE`]: file(`${name}-empty`, nothing) }
      expect(problemsOf({ ...others(name), ...empty })).toEqual([
        expect.stringMatching(new RegExp(`^${name}_FILE names an empty file`)),
      ])
    }
  })

  test('a folder in the place of the file is one problem', () => {
    expect(problemsOf({ ...REQUIRED, ADMIN_TOKEN_FILE: folder })).toEqual([
      expect.stringMatching(/^ADMIN_TOKEN_FILE names a file that cannot be read/),
    ])
  })

  test('a bad secret in a file is named by its setting, and not shown', () => {
    const path = file('bad', 'hunter2 hunter2\n')
    const problems = problemsOf({ ...REQUIRED, ADMIN_TOKEN_FILE: path })
    expect(problems).toEqual([expect.stringMatching(/^ADMIN_TOKEN must/)])
    expect(problems.join()).not.toContain('hunter2')
  })

  test('no secret is in the error, whatever else is wrong', () => {
    const settings = {
      DOTS_CLIENT_ID: 'hunter2 a',
      DOTS_API_KEY: 'hunter2 b',
      DOTS_WEBHOOK_SECRET: 'hunter2-c',
      DATABASE_URL: 'nosql://me:hunter2@db/x',
      REDIS_URL: 'http://me:hunter2@redis',
      ADMIN_TOKEN: 'hunter2 d',
      FULFILLMENT_SECRET: 'hunter2-e',
      PORT: 'hunter2',
    }
    const error = errorOf(settings)
    expect(error.problems).toHaveLength(9)
    expect(JSON.stringify([error.message, error.stack, error.problems, error.cause ?? null])).not.toContain(
      'hunter2',
    )
  })
})

describe('.env', () => {
  test('it fills what the environment leaves open, and the environment wins', () => {
    const dotenvPath = file(
      'one.env',
      'DOTS_CLIENT_ID=from-file\nDOTS_API_KEY="quoted"\nPORT=4000\nACCENT_COLOR="#123456" # a remark\n',
    )
    const config = loadConfig({ PORT: '5000', DOTS_API_KEY: '' }, { dotenvPath })
    expect(config.dots).toMatchObject({ clientId: 'from-file', apiKey: 'quoted' })
    expect(config.port).toBe(5000)
    expect(config.shop.accentColor).toBe('#123456')
  })

  test('it may be absent', () => {
    expect(loadConfig(REQUIRED, { dotenvPath: join(folder, 'none.env') }).port).toBe(3000)
  })

  test('one that cannot be read is a problem', () => {
    expect(problemsOf(REQUIRED, folder)).toEqual([expect.stringContaining('cannot be read')])
  })
})

describe('TRUST_PROXY', () => {
  test.each([
    ['10.0.0.0/8', ['10.0.0.1', '10.255.255.255', '::ffff:10.1.2.3'], ['11.0.0.1', '::ffff:11.0.0.1', '::1']],
    ['192.0.2.7', ['192.0.2.7', '::ffff:192.0.2.7'], ['192.0.2.8']],
    [' 10.0.0.0/8 , 127.0.0.1 ', ['10.9.9.9', '127.0.0.1'], ['127.0.0.2']],
    ['fd00::/8', ['fd00::1', 'fdff::1'], ['fe80::1', '10.0.0.1']],
    ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::2', '127.0.0.1']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.1']],
  ])('%s trusts only its own members', (TRUST_PROXY, members, others) => {
    const { trustsProxy } = load({ TRUST_PROXY })
    for (const ip of members) expect(trustsProxy(ip), ip).toBe(true)
    for (const ip of [...others, '', 'unknown', 'localhost', '10.0.0.1:80', '0x0a000001', '10.1']) {
      expect(trustsProxy(ip), ip).toBe(false)
    }
  })
})
