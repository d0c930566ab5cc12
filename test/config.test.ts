import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastifyEnv from '@fastify/env'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Config, ConfigError, envOptions, loadConfig, validConfig } from '../src/config.ts'
import { readEnvironment } from '../src/environment.ts'
import type { Settings } from '../src/settings.ts'

const REQUIRED = { DOTS_CLIENT_ID: 'client', DOTS_API_KEY: 'key', PUBLIC_URL: 'https://buy.shop.example' }
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

test('with only what is required set, everything else has its documented default', () => {
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
    warmCheckouts: 0,
    isProxyIgnored: false,
    linkSigningSecrets: [],
    linkProtection: 'standard',
    adminToken: undefined,
    fulfillment: undefined,
    shop: { name: 'Shop', publicUrl: 'https://buy.shop.example' },
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
    'PUBLIC_URL',
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

test('blanks around a value do not count, nor the CR of a line that ends in CR LF', () => {
  const config = load({ PORT: ' 8080 ', DATABASE_URL: 'sqlite:/x/shop.db\r', DOTS_API_KEY: ' key-2\t' })
  expect([config.port, config.databaseUrl, config.dots.apiKey]).toEqual([8080, 'sqlite:/x/shop.db', 'key-2'])
})

test('PUBLIC_URL is http://localhost:PORT beside a Dots on this machine, and required beside any other', () => {
  const local = { PUBLIC_URL: '', PORT: '8080', DOTS_API_URL: 'http://127.0.0.1:4010/api' }
  expect(load(local).shop.publicUrl).toBe('http://localhost:8080')
  for (const DOTS_API_URL of ['', 'https://pls.senddotssandbox.com/api', 'https://127.0.0.1.example']) {
    const problems = problemsOf({ ...REQUIRED, ...local, DOTS_API_URL })
    expect(problems).toEqual([expect.stringMatching(/^PUBLIC_URL is required/)])
  }
})

test.each(['DOTS_API_URL', 'FULFILLMENT_URL', 'LOGO_URL', 'PUBLIC_URL'])(
  'a user name or a password in %s is refused as such',
  (name) => {
    for (const login of ['user:pass', 'user', ':pass']) {
      const settings = { ...REQUIRED, [name]: `https://${login}@erp.example/hook` }
      const problem = problemsOf(settings).find((one) => one.startsWith(`${name} has`))
      expect(problem).toMatch(/ has a user name or a password in it, which do not belong there/)
      expect(problem).not.toContain('pass@')
    }
  },
)

test('environment variables that are not settings are ignored', () => {
  expect(load({ HOME: '/root', npm_config_x: 'y' })).toEqual({ ...load(), trustsProxy: expect.any(Function) })
})

test('the settings cannot be changed once they are read', () => {
  const config = load()
  for (const part of [config, config.dots, config.shop, config.rateLimit])
    expect(Object.isFrozen(part)).toBe(true)
})

function fail(error: unknown): never {
  throw error
}

test('@fastify/env reads the same configuration, and reports the same problems', async () => {
  const environment = { ...REQUIRED, PORT: '8080', SUPPORT_EMAIL: 'help@shop.example' }
  const app = Fastify()
  await app.register(fastifyEnv, envOptions(readEnvironment(environment).texts))
  const functions = { trustsProxy: expect.any(Function) }
  expect(validConfig(new Map(), () => app.getEnvs<Settings>())).toEqual({
    ...loadConfig(environment),
    ...functions,
  })
  await app.close()

  const wrong = { PORT: 'x', DOTS_API_KEY_FILE: join(folder, 'missing') }
  const { texts, problems } = readEnvironment(wrong)
  const broken = Fastify()
  const error: unknown = await broken.register(fastifyEnv, envOptions(texts)).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(() => validConfig(problems, () => fail(error))).toThrow(new ConfigError(problemsOf(wrong)))
  await broken.close()
})

test('an error that is not a validation error is rethrown', () => {
  const bug = new Error('a bug')
  expect(() => validConfig(new Map(), () => fail(bug))).toThrow(bug)
})

describe('secrets from files', () => {
  const SECRETS: [name: string, secret: string, read: (config: Config) => unknown][] = [
    ['DOTS_CLIENT_ID', 'client-2', ({ dots }) => dots.clientId],
    ['DOTS_API_KEY', 'key-2', ({ dots }) => dots.apiKey],
    ['DOTS_WEBHOOK_SECRET', WEBHOOK_SECRET, ({ dots }) => dots.webhookSecrets.join()],
    ['DATABASE_URL', 'sqlite:other.db', ({ databaseUrl }) => databaseUrl],
    ['LINK_SIGNING_SECRET', 'signing-secret-16', ({ linkSigningSecrets }) => linkSigningSecrets.join()],
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

  test('a line break as Windows writes it goes too, and spaces around the secret', () => {
    const path = file('crlf', ' a signing secret \r\n')
    const { linkSigningSecrets } = load({ LINK_SIGNING_SECRET_FILE: path })
    expect(linkSigningSecrets).toEqual(['a signing secret'])
  })

  test('a byte order mark in front of the secret does not count', () => {
    expect(load({ ADMIN_TOKEN_FILE: file('bom', '\ufefftoken\n') }).adminToken).toBe('token')
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
      FULFILLMENT_URL: 'https://me:hunter2@erp.example/',
      PORT: 'hunter2',
    }
    const error = errorOf(settings)
    expect(error.problems).toHaveLength(10)
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
    const config = loadConfig(
      { PORT: '5000', DOTS_API_KEY: '', PUBLIC_URL: REQUIRED.PUBLIC_URL },
      { dotenvPath },
    )
    expect(config.dots).toMatchObject({ clientId: 'from-file', apiKey: 'quoted' })
    expect(config.port).toBe(5000)
    expect(config.shop.accentColor).toBe('#123456')
  })

  test('it may be absent', () => {
    expect(loadConfig(REQUIRED, { dotenvPath: join(folder, 'none.env') }).port).toBe(3000)
  })

  const text = 'DOTS_CLIENT_ID=from-file\r\nDOTS_API_KEY=key\r\nPUBLIC_URL=https://buy.shop.example\r\n'

  test('a byte order mark in front of it does not count', () => {
    const dotenvPath = file('bom.env', `\ufeff${text}`)
    expect(loadConfig({}, { dotenvPath }).dots).toMatchObject({ clientId: 'from-file', apiKey: 'key' })
  })

  test.each([
    ['UTF-16 little-endian', Buffer.from(`\ufeff${text}`, 'utf16le'), 'is saved as UTF-16'],
    ['UTF-16 big-endian', Buffer.from(`\ufeff${text}`, 'utf16le').swap16(), 'is saved as UTF-16'],
    ['UTF-16 without a mark', Buffer.from(text, 'utf16le'), 'holds a NUL character'],
    ['a NUL', Buffer.from(`${text}PORT=\0`), 'holds a NUL character'],
    ['Latin-1', Buffer.from(`${text}MERCHANT_NAME=K\xe4se`, 'latin1'), 'holds bytes that are not UTF-8'],
  ])('%s in it is a problem that names the file', (name, bytes, problem) => {
    const dotenvPath = join(folder, `${name}.env`)
    writeFileSync(dotenvPath, bytes)
    expect(problemsOf(REQUIRED, dotenvPath)).toEqual([expect.stringContaining(`${dotenvPath} ${problem}`)])
    const secret = problemsOf({ ...REQUIRED, ADMIN_TOKEN_FILE: dotenvPath })
    expect(secret).toEqual([
      expect.stringContaining(`ADMIN_TOKEN_FILE names ${dotenvPath}, which ${problem}`),
    ])
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
