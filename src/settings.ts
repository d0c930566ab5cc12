import { isIP } from 'node:net'
import Type, { type Static } from 'typebox'
import { isLoopbackHost } from './web-url.ts'

/** Dots takes `0 < expires_in < 10800`; the service itself wants a minute for the buyer to type a card number. */
const LONGEST_CHECKOUT_SECONDS = 10_799
const SHORTEST_CHECKOUT_SECONDS = 60

/** The environment, by its names: the one list of settings. What each means to a reader stands in `.env.example`. */
export const ConfigSchema = Type.Object(
  {
    DOTS_CLIENT_ID: Type.String({ pattern: '^[^:\\s]+$' }),
    DOTS_API_KEY: Type.String({ pattern: '^\\S+$' }),
    DOTS_API_URL: Type.String({ format: 'api-base', default: 'https://api.dots.dev/api' }),
    DOTS_MAX_IN_FLIGHT: Type.Integer({ minimum: 1, maximum: 10_000, default: 128 }),
    DOTS_APP_ID: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]+$' })),
    DOTS_WEBHOOK_SECRET: Type.Optional(Type.String({ format: 'webhook-secrets' })),
    PUBLIC_URL: Type.Optional(Type.String({ format: 'public-origin' })),
    HOST: Type.String({ default: '0.0.0.0' }),
    PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3000 }),
    CATALOG_PATH: Type.String({ default: 'catalog.json' }),
    DATABASE_URL: Type.String({ format: 'database', default: 'sqlite:data/buy-links.db' }),
    REDIS_URL: Type.Optional(Type.String({ format: 'not-yet' })),
    TRUST_PROXY: Type.Optional(Type.String({ format: 'cidr-list' })),
    RATE_LIMIT_MAX: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 60 }),
    RATE_LIMIT_WINDOW: Type.Integer({ minimum: 1, maximum: 86_400, default: 60 }),
    CHECKOUT_EXPIRES_IN: Type.Integer({
      minimum: SHORTEST_CHECKOUT_SECONDS,
      maximum: LONGEST_CHECKOUT_SECONDS,
      default: LONGEST_CHECKOUT_SECONDS,
    }),
    CHECKOUT_HOSTS: Type.Optional(Type.String({ format: 'host-list' })),
    LINK_SIGNING_SECRET: Type.Optional(Type.String({ format: 'secret-list' })),
    LINK_PROTECTION: Type.Union([Type.Literal('standard'), Type.Literal('confirm')], { default: 'standard' }),
    ADMIN_TOKEN: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]+$' })),
    FULFILLMENT_URL: Type.Optional(Type.String({ format: 'https-or-loopback' })),
    FULFILLMENT_SECRET: Type.Optional(Type.String({ format: 'webhook-secrets' })),
    MERCHANT_NAME: Type.String({ maxLength: 100, default: 'Shop' }),
    SUPPORT_EMAIL: Type.Optional(Type.String({ pattern: '^[^\\s@<>]+@[^\\s@<>]+$' })),
    ACCENT_COLOR: Type.Optional(Type.String({ pattern: '^#[0-9a-fA-F]{6}$' })),
    LOGO_URL: Type.Optional(Type.String({ format: 'https-or-loopback' })),
    LOG_LEVEL: Type.Union(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
      { default: 'info' },
    ),
  },
  {
    dependencies: { FULFILLMENT_URL: ['FULFILLMENT_SECRET'], FULFILLMENT_SECRET: ['FULFILLMENT_URL'] },
  },
)

/** The settings after validation and defaults, still under their environment names. */
export type Settings = Static<typeof ConfigSchema>

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function isHttpsOrLoopback(url: URL): boolean {
  if (url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
}

/** Splits a comma list as every list setting is written: spaces around an entry and empty entries do not count. */
export function commaList(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function eachOf(check: (entry: string) => boolean): (text: string) => boolean {
  return (text) => commaList(text).length > 0 && commaList(text).every(check)
}

function isNetwork(entry: string): boolean {
  const [network = '', prefix, ...rest] = entry.split('/')
  const family = isIP(network)
  if (family === 0 || rest.length > 0) return false
  // /0 would believe anybody, which is the one thing that this list is there to prevent.
  return (
    prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 6 ? 128 : 32))
  )
}

/** What JSON Schema has no word for, by the `format` names that ConfigSchema uses. */
export const settingFormats: Record<string, (text: string) => boolean> = {
  'https-or-loopback': (text) => {
    const url = parseUrl(text)
    return url !== undefined && isHttpsOrLoopback(url)
  },
  'api-base': (text) => {
    const url = parseUrl(text)
    return url !== undefined && isHttpsOrLoopback(url) && url.hash === '' && url.search === ''
  },
  'public-origin': (text) => {
    const url = parseUrl(text)
    return url !== undefined && isHttpsOrLoopback(url) && `${url.origin}/` === url.href
  },
  'webhook-secrets': eachOf(
    (entry) => /^whsec_(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2})?$/.test(entry) && entry.length > 6,
  ),
  'secret-list': eachOf((entry) => entry.length > 0),
  // A wildcard would be taken for a name that no host has, and every sale would be refused.
  'host-list': eachOf((entry) => /^[^*/\\?#@\s]+$/.test(entry) && URL.canParse(`https://${entry}`)),
  'cidr-list': eachOf(isNetwork),
  database: (text) => /^sqlite:.+/.test(text),
  'not-yet': () => false,
}

const SECRET_LIST_RULE =
  'must be one `whsec_…` secret, or several with commas between them, the signing one first.'
const HTTPS_RULE = 'must be an https:// address (http:// only on this machine).'

/** What each setting must be, as the end of a sentence that starts with its name. */
export const settingMessages: Record<string, { rule: string; placeholder?: string }> = {
  DOTS_CLIENT_ID: { rule: 'the client id of your Dots app, one word without a colon.' },
  DOTS_API_KEY: { rule: 'the API key of your Dots app, one word.' },
  DOTS_API_URL: { rule: 'must be an https:// address without a query (http:// only on this machine).' },
  DOTS_MAX_IN_FLIGHT: { rule: 'must be a whole number from 1 to 10000.' },
  DOTS_APP_ID: { rule: 'must be one word without spaces.' },
  DOTS_WEBHOOK_SECRET: { rule: SECRET_LIST_RULE, placeholder: 'whsec_AAAA' },
  PUBLIC_URL: {
    rule: 'must be the https:// origin that buyers see, without a path (http:// only on this machine).',
  },
  PORT: { rule: 'must be a whole number from 0 to 65535.' },
  DATABASE_URL: {
    rule: 'must be sqlite:PATH (this version has no PostgreSQL store yet).',
    placeholder: 'sqlite::memory:',
  },
  REDIS_URL: { rule: 'is not supported by this version yet: remove it.' },
  TRUST_PROXY: {
    rule: 'must list networks such as 10.0.0.0/8 or 192.0.2.7, with commas between them (never "true" or a count).',
  },
  RATE_LIMIT_MAX: { rule: 'must be a whole number from 1 to 1000000.' },
  RATE_LIMIT_WINDOW: { rule: 'must be a whole number of seconds from 1 to 86400.' },
  CHECKOUT_EXPIRES_IN: { rule: 'must be a whole number of seconds from 60 to 10799.' },
  CHECKOUT_HOSTS: { rule: 'must list host names such as pay.example.com, with commas between them.' },
  LINK_SIGNING_SECRET: {
    rule: 'must be one secret, or several with commas between them, the signing one first.',
  },
  LINK_PROTECTION: { rule: 'must be "standard" or "confirm".' },
  ADMIN_TOKEN: { rule: 'must be one word of printable ASCII.' },
  FULFILLMENT_URL: { rule: HTTPS_RULE },
  FULFILLMENT_SECRET: { rule: SECRET_LIST_RULE, placeholder: 'whsec_AAAA' },
  MERCHANT_NAME: { rule: 'must be at most 100 characters.' },
  SUPPORT_EMAIL: { rule: 'must be an email address.' },
  ACCENT_COLOR: { rule: 'must be a colour such as #0a7d5a.' },
  LOGO_URL: { rule: HTTPS_RULE },
  LOG_LEVEL: { rule: 'must be fatal, error, warn, info, debug, trace or silent.' },
}
