import { readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { parseEnv } from 'node:util'
import fastifyEnv from '@fastify/env'
import Fastify from 'fastify'
import { ConfigSchema, commaList, type Settings, settingFormats, settingMessages } from './settings.ts'
import { isLoopbackHost } from './web-url.ts'

/** Settings that may also come from a file, as `NAME_FILE=/run/secrets/x`. */
const SECRET_SETTINGS = [
  'DOTS_CLIENT_ID',
  'DOTS_API_KEY',
  'DOTS_WEBHOOK_SECRET',
  'DATABASE_URL',
  'REDIS_URL',
  'LINK_SIGNING_SECRET',
  'ADMIN_TOKEN',
  'FULFILLMENT_SECRET',
] as const

/** The settings as the rooms use them: parsed, grouped, frozen. Durations are in seconds unless named. */
export interface Config {
  readonly dots: {
    /** Base without a trailing slash; `/v2/...` is appended. */
    readonly apiUrl: string
    readonly clientId: string
    readonly apiKey: string
    readonly appId: string | undefined
    readonly maxInFlight: number
    readonly webhookSecrets: readonly string[]
    /** Hosts that a checkout URL may have, lower case, without a port; empty: any. */
    readonly checkoutHosts: readonly string[]
    /** True where Dots itself is on this machine (the sandbox): plain http checkout URLs are then taken too. */
    readonly allowHttpCheckout: boolean
  }
  /** Origin of every link that leaves the house, without a trailing slash. */
  readonly publicUrl: string
  readonly host: string
  readonly port: number
  readonly catalogPath: string
  readonly databaseUrl: string
  /** Tells whether `X-Forwarded-*` of a peer with this address is believed. */
  readonly trustsProxy: (address: string) => boolean
  readonly rateLimit: { readonly max: number; readonly windowSeconds: number }
  readonly checkoutExpiresIn: number
  readonly linkSigningSecrets: readonly string[]
  readonly linkProtection: 'standard' | 'confirm'
  readonly adminToken: string | undefined
  readonly fulfillment: { readonly url: string; readonly secrets: readonly string[] } | undefined
  readonly merchant: {
    readonly name: string
    readonly supportEmail: string | undefined
    readonly accentColor: string | undefined
    readonly logoUrl: string | undefined
  }
  readonly logLevel: string
}

/** Everything that is missing or wrong in the settings, a sentence each. Holds no values, so it can be printed. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The settings are not complete:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * Reads and checks all settings at once.
 *
 * Two stages: the raw texts (environment over `.env`, secrets from files, empty counts as absent) are validated by
 * `@fastify/env` against one schema, then parsed into the shapes that the rooms use. It runs before the server exists
 * because the server's own options depend on it. `standIns` take the place of settings that are absent and not needed.
 *
 * @throws ConfigError naming every problem.
 */
export async function loadConfig(
  environment: NodeJS.ProcessEnv,
  { dotenvPath, standIns = {} }: { dotenvPath?: string; standIns?: Readonly<Record<string, string>> } = {},
): Promise<Config> {
  const problems: string[] = []
  const raw = settingTexts(environment, dotenvPath, problems)
  for (const [name, value] of Object.entries(standIns)) {
    if (raw[name] === undefined && raw[`${name}_FILE`] === undefined) raw[name] = value
  }
  for (const name of SECRET_SETTINGS) readSecretFile(raw, name, problems)

  let settings: Settings | undefined
  const reader = Fastify()
  try {
    await reader.register(fastifyEnv, {
      schema: structuredClone(ConfigSchema),
      data: raw,
      env: false,
      ajv: {
        customOptions(ajv) {
          for (const [name, validate] of Object.entries(settingFormats)) ajv.addFormat(name, validate)
          return ajv
        },
      },
    })
    settings = reader.getEnvs<Settings>()
  } catch (error) {
    problems.push(...describeSchemaErrors(error))
  } finally {
    await reader.close()
  }
  if (settings === undefined || problems.length > 0) throw new ConfigError([...new Set(problems)].sort())
  return toConfig(settings)
}

/**
 * The settings as texts: the environment over the file, where an empty or blank value counts as absent. A file that is
 * there and cannot be read is told in `problems`.
 */
export function settingTexts(
  environment: NodeJS.ProcessEnv,
  dotenvPath: string | undefined,
  problems: string[],
): Record<string, string> {
  return { ...readDotenv(dotenvPath, problems), ...withoutEmpty(environment) }
}

function withoutEmpty(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1].trim() !== '',
    ),
  )
}

function readDotenv(path: string | undefined, problems: string[]): Record<string, string> {
  if (path === undefined) return {}
  try {
    return withoutEmpty(parseEnv(readFileSync(path, 'utf8')))
  } catch (error) {
    if (!isMissingFile(error)) problems.push(`${path} is there but cannot be read: check its permissions.`)
    return {}
  }
}

function readSecretFile(raw: Record<string, string>, name: string, problems: string[]): void {
  const path = raw[`${name}_FILE`]
  if (path === undefined) return
  if (raw[name] !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: keep one of them.`)
    return
  }
  // The one sentence below says it all: without a stand-in the same setting would be reported as missing too.
  raw[name] = settingMessages[name]?.placeholder ?? 'unreadable'
  try {
    const secret = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '')
    if (secret.trim() === '') problems.push(`${name}_FILE names an empty file: write the secret into it.`)
    else raw[name] = secret
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read: check the path and its permissions.`)
  }
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

interface SchemaError {
  keyword: string
  instancePath: string
  params: Record<string, unknown>
}

function describeSchemaErrors(error: unknown): string[] {
  if (!(error instanceof Error) || !('errors' in error) || !Array.isArray(error.errors)) throw error
  const found: SchemaError[] = error.errors
  return found.map(({ keyword, instancePath, params }) => {
    if (keyword === 'required') {
      const name = String(params.missingProperty)
      return `${name} is required: ${settingMessages[name]?.rule ?? 'set it.'}`
    }
    if (keyword === 'dependentRequired' || keyword === 'dependencies') {
      return `${params.missingProperty} is required where ${params.property} is set: set both, or neither.`
    }
    const name = instancePath.slice(1)
    return `${name} ${settingMessages[name]?.rule ?? 'is not valid.'}`
  })
}

function proxyTrust(entries: string[]): (address: string) => boolean {
  const trusted = new BlockList()
  for (const entry of entries) {
    const [network = '', prefix] = entry.split('/')
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(network, family)
    else trusted.addSubnet(network, Number(prefix), family)
  }
  return (address) => {
    // A dual-stack socket shows IPv4 peers as ::ffff:10.0.0.1; BlockList matches those against IPv4 rules itself.
    const family = isIP(address)
    return family !== 0 && trusted.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
}

function toConfig(settings: Settings): Config {
  const apiUrl = new URL(settings.DOTS_API_URL)
  const config: Config = {
    dots: {
      apiUrl: apiUrl.href.replace(/\/+$/, ''),
      clientId: settings.DOTS_CLIENT_ID,
      apiKey: settings.DOTS_API_KEY,
      appId: settings.DOTS_APP_ID,
      maxInFlight: settings.DOTS_MAX_IN_FLIGHT,
      webhookSecrets: commaList(settings.DOTS_WEBHOOK_SECRET),
      checkoutHosts: commaList(settings.CHECKOUT_HOSTS).map((host) => hostWithoutPort(host)),
      allowHttpCheckout: isLoopbackHost(apiUrl.hostname),
    },
    publicUrl: new URL(settings.PUBLIC_URL ?? `http://localhost:${settings.PORT}`).origin,
    host: settings.HOST,
    port: settings.PORT,
    catalogPath: settings.CATALOG_PATH,
    databaseUrl: settings.DATABASE_URL,
    trustsProxy: proxyTrust(commaList(settings.TRUST_PROXY)),
    rateLimit: { max: settings.RATE_LIMIT_MAX, windowSeconds: settings.RATE_LIMIT_WINDOW },
    checkoutExpiresIn: settings.CHECKOUT_EXPIRES_IN,
    linkSigningSecrets: commaList(settings.LINK_SIGNING_SECRET),
    linkProtection: settings.LINK_PROTECTION,
    adminToken: settings.ADMIN_TOKEN,
    fulfillment:
      settings.FULFILLMENT_URL === undefined
        ? undefined
        : { url: settings.FULFILLMENT_URL, secrets: commaList(settings.FULFILLMENT_SECRET) },
    merchant: {
      name: settings.MERCHANT_NAME,
      supportEmail: settings.SUPPORT_EMAIL,
      accentColor: settings.ACCENT_COLOR,
      logoUrl: settings.LOGO_URL,
    },
    logLevel: settings.LOG_LEVEL,
  }
  return Object.freeze(config)
}

/** `pay.example:8443` and `pay.example` are the same host; an IPv6 address keeps its brackets. */
function hostWithoutPort(host: string): string {
  return new URL(`https://${host}`).hostname
}
