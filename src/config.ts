import { isIP } from 'node:net'
import { compile } from '@fastify/proxy-addr'
import { type EnvSchemaOpt, envSchema } from 'env-schema'
import type { OutgoingProxy } from './dispatcher.ts'
import { type EnvironmentOptions, readEnvironment, usesProxy } from './environment.ts'
import { ConfigSchema, commaList, legalLink, MIN_SECRET_LENGTH, type Settings } from './settings.ts'
import { isLoopbackHost, webUrl } from './web-url.ts'

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
  return ajv.addVocabulary(['rule', 'file', 'url']).addKeyword({
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
  return validConfig(problems, () => envSchema<Settings>(envOptions(texts)))
}

/**
 * The configuration of the settings that `validate` returns, if `readEnvironment` has found no `problems` either.
 *
 * @throws ConfigError with every problem; what `validate` throws where that is no validation error.
 */
export function validConfig(problems: ReadonlyMap<string, string>, validate: () => Settings): Config {
  let found: [name: string, problem: string][] = []
  try {
    const settings = validate()
    if (problems.size === 0) return configOf(settings)
  } catch (error) {
    found = schemaProblems(error)
  }
  // If the file of a setting cannot be read, only that problem of the setting is reported.
  const all = new Map([...found, ...problems])
  throw new ConfigError([...all.values()].sort())
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
  /** At the foot of each page. */
  legalLinks?: readonly { label: string; url: string }[]
  /** Origin of every URL that the service generates, without a trailing slash. */
  publicUrl: string
}

/** The settings as the service uses them: parsed, grouped, frozen. */
export type Config = ReturnType<typeof configOf>

/** Parses valid settings. */
function configOf(settings: Settings) {
  const apiUrl = new URL(settings.DOTS_API_URL)
  const trusts = compile([...commaList(settings.TRUST_PROXY)])
  const hasProxy = Boolean(settings.HTTPS_PROXY ?? settings.HTTP_PROXY)
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
      legalLinks: settings.LEGAL_LINKS
        ? commaList(settings.LEGAL_LINKS).flatMap((entry) => legalLink(entry) ?? [])
        : undefined,
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
    /** Most sessions made ahead of their clicks, in all; 0: only those of products that ask for them. */
    warmCheckouts: settings.WARM_CHECKOUTS,
    /** The first one signs, all are accepted; empty: signed links are off. */
    linkSigningSecrets: commaList(settings.LINK_SIGNING_SECRET),
    linkProtection: settings.LINK_PROTECTION,
    adminToken: settings.ADMIN_TOKEN,
    /** Undefined: orders are not announced. The first secret signs. */
    fulfillment: settings.FULFILLMENT_URL
      ? Object.freeze({ url: settings.FULFILLMENT_URL, secrets: commaList(settings.FULFILLMENT_SECRET) })
      : undefined,
    /** Undefined: all servers are reached directly. */
    proxy:
      hasProxy && usesProxy(settings)
        ? Object.freeze<OutgoingProxy>({
            httpProxy: settings.HTTP_PROXY ?? '',
            httpsProxy: settings.HTTPS_PROXY ?? '',
            noProxy: settings.NO_PROXY ?? '',
          })
        : undefined,
    isProxyIgnored: hasProxy && !usesProxy(settings),
    logLevel: settings.LOG_LEVEL,
  })
}

/** Warnings about settings that are valid but weak, missing or without effect: a sentence each, without any value. */
export function configWarnings(config: Config) {
  const { dots, adminToken, fulfillment } = config
  const hasShortKey = (secret: string) =>
    Buffer.from(secret.replace('whsec_', ''), 'base64').length < MIN_WEBHOOK_KEY_BYTES
  const weak = (name: string, advice: string) => ({
    event: 'config.secret.weak',
    message: `${name} is weak: ${advice}`,
  })
  const bytes = `the key after whsec_ should have ${MIN_WEBHOOK_KEY_BYTES} bytes or more`
  return [
    dots.webhookSecrets.length === 0 && {
      event: 'config.webhooks.off',
      message:
        'DOTS_WEBHOOK_SECRET is not set: a payment is found when the buyer returns, or by the sweep up to three hours later',
    },
    fulfillment === undefined && {
      event: 'config.fulfillment.off',
      message: 'FULFILLMENT_URL is not set: nobody is told of sales; `npm run orders` lists them',
    },
    dots.webhookSecrets.some(hasShortKey) && weak('DOTS_WEBHOOK_SECRET', bytes),
    fulfillment?.secrets.some(hasShortKey) && weak('FULFILLMENT_SECRET', bytes),
    config.isProxyIgnored && {
      event: 'config.proxy.ignored',
      message: 'HTTPS_PROXY or HTTP_PROXY is set and not used: set NODE_USE_ENV_PROXY=1 to use it',
    },
    adminToken && {
      event: 'config.admin.off',
      message: 'ADMIN_TOKEN has no effect: /admin and /metrics are not in this version',
    },
    adminToken &&
      adminToken.length < MIN_SECRET_LENGTH &&
      weak('ADMIN_TOKEN', `it should have ${MIN_SECRET_LENGTH} characters or more`),
  ].filter((warning) => typeof warning === 'object')
}
