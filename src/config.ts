import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseEnv } from 'node:util'
import { compile } from '@fastify/proxy-addr'
import { type EnvSchemaOpt, envSchema } from 'env-schema'
import { ConfigSchema, commaList, type Settings } from './settings.ts'
import { isLoopbackHost, webUrl } from './web-url.ts'

/** With one signed link, shorter secrets can be guessed offline by brute force. */
const MIN_SECRET_LENGTH = 16
/** Bytes that a symmetric key should have at least (Standard Webhooks, "Signature scheme"). */
const MIN_WEBHOOK_KEY_BYTES = 24

/** Everything that is missing or wrong in the settings, one sentence each. Holds no values, so it can be printed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration is invalid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

export interface EnvironmentOptions {
  /** A file of `NAME=value` lines that fills what the environment leaves open. It may be absent. */
  dotenvPath?: string
  /** Values for settings that are absent and not needed. */
  fallbacks?: Readonly<Record<string, string>>
}

/**
 * The settings as texts, before validation: the environment wins over `.env`, an empty or blank value counts as absent,
 * and secrets are read from their files. Never throws: what cannot be read is in `problems`, a sentence for each setting
 * or for the `.env` file, by its name.
 */
export function readEnvironment(
  environment: NodeJS.ProcessEnv,
  { dotenvPath, fallbacks = {} }: EnvironmentOptions = {},
) {
  const problems = new Map<string, string>()
  let dotenv = ''
  try {
    if (dotenvPath !== undefined) dotenv = readFileSync(dotenvPath, 'utf8')
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing)
      problems.set(`${dotenvPath}`, `${dotenvPath} exists but cannot be read: check its permissions.`)
  }
  const texts = { ...withoutBlank(parseEnv(dotenv)), ...withoutBlank(environment) }
  for (const [name, value] of Object.entries(fallbacks)) {
    if (texts[`${name}_FILE`] === undefined) texts[name] ??= value
  }
  for (const [name, setting] of Object.entries(ConfigSchema.properties)) {
    const problem = 'file' in setting && readSecretFile(texts, name)
    if (problem) problems.set(name, problem)
  }
  return { texts, problems }
}

function withoutBlank(texts: NodeJS.Dict<string>): NodeJS.Dict<string> {
  return Object.fromEntries(Object.entries(texts).filter(([, value]) => value?.trim()))
}

/** Replaces `NAME_FILE` by what the file holds, without the line break at its end; returns what is wrong with it. */
function readSecretFile(texts: NodeJS.Dict<string>, name: string): string | undefined {
  const path = texts[`${name}_FILE`]
  if (path === undefined) return undefined
  if (texts[name] !== undefined) return `${name} and ${name}_FILE are both set: keep one of them.`
  // It counts as set even if the file cannot be read, so that the setting it requires is checked as well.
  texts[name] = ''
  try {
    texts[name] = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '')
  } catch {
    return `${name}_FILE names a file that cannot be read: check the path and its permissions.`
  }
  return texts[name].trim() === '' ? `${name}_FILE names an empty file: write the secret into it.` : undefined
}

type Ajv = Exclude<NonNullable<EnvSchemaOpt['ajv']>, { customOptions: unknown }>
/** Created by the first call and reused: to compile the schema again takes some twenty milliseconds. */
let validator: Ajv | undefined

/** Options for `@fastify/env`, and for `env-schema` within it: `texts` are validated, nothing else is read. */
export function envOptions(texts: NodeJS.Dict<string>) {
  return {
    // The default, "config", is the name of the parsed configuration.
    confKey: 'settings',
    schema: ConfigSchema,
    data: { ...texts },
    env: false,
    ajv: validator ?? { customOptions: (ajv: Ajv) => (validator = withOurKeywords(ajv)) },
  }
}

function withOurKeywords(ajv: Ajv): Ajv {
  return ajv.addVocabulary(['rule', 'file']).addKeyword({
    keyword: 'check',
    validate: (check: (text: string) => boolean, value: string) => check(value),
  })
}

/**
 * Reads, validates and parses all settings at once.
 *
 * @throws ConfigError with every problem.
 */
export function loadConfig(environment: NodeJS.ProcessEnv, options?: EnvironmentOptions): Config {
  const { texts, problems } = readEnvironment(environment, options)
  let failure: unknown
  try {
    const settings = envSchema<Settings>(envOptions(texts))
    if (problems.size === 0) return configOf(settings)
  } catch (error) {
    failure = error
  }
  throw configError(failure, problems)
}

/**
 * One error for all that is wrong: `error` of the validation (undefined where there was none), and the `problems` of
 * `readEnvironment`. Throws `error` itself where it is no validation error.
 */
export function configError(error: unknown, problems: ReadonlyMap<string, string>): ConfigError {
  // If the file of a setting cannot be read, only that problem of the setting is reported.
  const all = new Map([...(error === undefined ? [] : schemaProblems(error)), ...problems])
  return new ConfigError([...all.values()].sort())
}

const RULES = new Map(
  Object.entries(ConfigSchema.properties).map(([name, setting]) => [name, 'rule' in setting && setting.rule]),
)

function schemaProblems(error: unknown): [name: string, problem: string][] {
  if (!(error instanceof Error) || !('errors' in error) || !Array.isArray(error.errors)) throw error
  const found: { keyword: string; instancePath: string; params: Record<string, unknown> }[] = error.errors
  return found.map(({ keyword, instancePath, params: { missingProperty, property } }) => {
    const name = String(missingProperty ?? instancePath.slice(1))
    if (keyword === 'dependencies') {
      return [name, `${name} is required where ${property} is set: set both, or neither.`]
    }
    return [name, `${name} ${keyword === 'required' ? 'is required: it ' : ''}${RULES.get(name)}`]
  })
}

/** The merchant, as the pages show it. */
export interface Shop {
  name: string
  supportEmail?: string
  /** `#rrggbb` */
  accentColor?: string
  logoUrl?: string
  /** Origin of every URL that the service generates, without a trailing slash. */
  publicUrl: string
}

/** The settings as the service uses them: parsed, grouped, frozen. */
export type Config = ReturnType<typeof configOf>

/** Parses valid settings, such as `app.getEnvs()` of `@fastify/env` returns. */
export function configOf(settings: Settings) {
  const apiUrl = new URL(settings.DOTS_API_URL)
  const trusts = compile([...commaList(settings.TRUST_PROXY)])
  return Object.freeze({
    dots: Object.freeze({
      /** Base without a trailing slash; `/v2/...` is appended. */
      apiUrl: apiUrl.href.replace(/\/+$/, ''),
      clientId: settings.DOTS_CLIENT_ID,
      apiKey: settings.DOTS_API_KEY,
      appId: settings.DOTS_APP_ID,
      /** Most calls at one time. */
      maxInFlight: settings.DOTS_MAX_IN_FLIGHT,
      webhookSecrets: commaList(settings.DOTS_WEBHOOK_SECRET),
      /** Hosts that a checkout URL may have, lower case, without a port, IPv6 in brackets; empty: any. */
      checkoutHosts: commaList(settings.CHECKOUT_HOSTS).map((host) => new URL(`https://${host}`).hostname),
      /** Where Dots itself is on this machine (the sandbox), its checkout URLs may be plain http. */
      allowHttpCheckout: isLoopbackHost(apiUrl.hostname),
    }),
    shop: Object.freeze<Shop>({
      name: settings.MERCHANT_NAME,
      supportEmail: settings.SUPPORT_EMAIL,
      accentColor: settings.ACCENT_COLOR,
      logoUrl: settings.LOGO_URL && webUrl(settings.LOGO_URL)?.href,
      publicUrl: new URL(settings.PUBLIC_URL ?? `http://localhost:${settings.PORT}`).origin,
    }),
    host: settings.HOST,
    port: settings.PORT,
    catalogPath: settings.CATALOG_PATH,
    databaseUrl: settings.DATABASE_URL,
    /** Whether `X-Forwarded-*` of a peer with this IP address is trusted. IPv4-mapped IPv6 counts as IPv4. */
    trustsProxy: (ip: string): boolean => isIP(ip) !== 0 && trusts(ip, 0),
    rateLimit: Object.freeze({ max: settings.RATE_LIMIT_MAX, windowSeconds: settings.RATE_LIMIT_WINDOW }),
    /** Seconds. */
    checkoutExpiresIn: settings.CHECKOUT_EXPIRES_IN,
    /** The first one signs, all are accepted; empty: signed links are off. */
    linkSigningSecrets: commaList(settings.LINK_SIGNING_SECRET),
    linkProtection: settings.LINK_PROTECTION,
    adminToken: settings.ADMIN_TOKEN,
    /** Undefined: orders are not announced. The first secret signs. */
    fulfillment: settings.FULFILLMENT_URL
      ? Object.freeze({ url: settings.FULFILLMENT_URL, secrets: commaList(settings.FULFILLMENT_SECRET) })
      : undefined,
    logLevel: settings.LOG_LEVEL,
  })
}

/** Warnings about settings that are valid but weak, missing or without effect: a sentence each, without any value. */
export function configWarnings({ dots, linkSigningSecrets, adminToken, fulfillment }: Config) {
  const isShort = (secret: string) => secret.length < MIN_SECRET_LENGTH
  const hasShortKey = (secret: string) =>
    Buffer.from(secret.replace('whsec_', ''), 'base64').length < MIN_WEBHOOK_KEY_BYTES
  const weak = (name: string, advice: string) => ({
    event: 'config.secret.weak',
    message: `${name} is weak: ${advice}`,
  })
  const characters = `should have ${MIN_SECRET_LENGTH} characters or more`
  const bytes = `the key after whsec_ should have ${MIN_WEBHOOK_KEY_BYTES} bytes or more`
  return [
    dots.webhookSecrets.length === 0 && {
      event: 'config.webhooks.off',
      message:
        'DOTS_WEBHOOK_SECRET is not set: a payment is found when the buyer returns, or by the sweep up to three hours later',
    },
    linkSigningSecrets.some(isShort) && weak('LINK_SIGNING_SECRET', `each secret ${characters}`),
    dots.webhookSecrets.some(hasShortKey) && weak('DOTS_WEBHOOK_SECRET', bytes),
    fulfillment?.secrets.some(hasShortKey) && weak('FULFILLMENT_SECRET', bytes),
    adminToken && {
      event: 'config.admin.off',
      message: 'ADMIN_TOKEN has no effect: /admin and /metrics are not in this version',
    },
    adminToken && isShort(adminToken) && weak('ADMIN_TOKEN', `it ${characters}`),
  ].filter((warning) => typeof warning === 'object')
}
