import { isIP } from 'node:net'
import { compile } from '@fastify/proxy-addr'
import Type, { type Static } from 'typebox'
import { webUrl } from './web-url.ts'

/** What a setting has beside JSON Schema's own keywords. */
interface SettingOptions {
  pattern?: string
  maxLength?: number
  default?: string
  /** A check that JSON Schema cannot express. */
  check?: (text: string) => boolean
  /** It may also be given as a file: `NAME_FILE=/run/secrets/x`. */
  file?: true
  /** An address on the web, where a user name and a password would be ignored, or shown to buyers. */
  url?: true
}

/** `rule` is the end of the sentence that tells a person what the setting must be; it starts with the setting's name. */
const text = (rule: string, options: SettingOptions = {}) => Type.String({ rule, ...options })
const optional = (rule: string, options: SettingOptions) => Type.Optional(text(rule, options))
const integer = (minimum: number, maximum: number, byDefault: number, unit = '') => {
  const rule = `must be a whole number ${unit}from ${minimum} to ${maximum}.`
  return Type.Integer({ minimum, maximum, default: byDefault, rule })
}

export const DEFAULT_CATALOG_PATH = 'catalog.json'
const URL_RULE = 'must be an https:// URL (http:// only on this machine).'
const ANY_URL = { check: (url: string) => webUrl(url) !== undefined, url: true } as const
const NETWORKS_RULE =
  'must list networks such as 10.0.0.0/8 or 192.0.2.7, separated by commas (never "true" or a count).'
const SECRETS_RULE = 'must be one `whsec_…` secret, or several separated by commas, the signing one first.'
const WEBHOOK_SECRET = /^whsec_(?=.)(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2})?$/
const SECRETS: SettingOptions = { check: eachOf((entry) => WEBHOOK_SECRET.test(entry)), file: true }
export const PROXY_RULE = 'must be the URL of a proxy, such as http://proxy.example:3128.'
/** With one signed link, shorter secrets can be guessed offline by brute force. */
export const MIN_SECRET_LENGTH = 16
const isLongEnough = (secret: string) => Array.from(secret).length >= MIN_SECRET_LENGTH
/** Blanks, quotes, a host, `~`, `$HOME`, `file:` and options would be part of the path: that of another, empty database. */
const DATABASE_URL = /^sqlite:(?::memory:|(?!\/\/|file:|[\s:"'~$])[^?\p{Cc}]*[^?\p{Cc}\s])$/u
const DATABASE_RULE =
  'must be sqlite:PATH, where PATH is plain: no //, ~, $ or blanks before it, no quotes, no ?options (this version has no PostgreSQL store yet).'
const PRINTABLE = '^[\\x21-\\x7e]+$'

/** The one list of settings, by their names in the environment. `.env.example` explains each of them. */
export const ConfigSchema = Type.Object(
  {
    DOTS_CLIENT_ID: text('must be the client id of your Dots app, one word without a colon.', {
      pattern: '^[^:\\s]+$',
      file: true,
    }),
    DOTS_API_KEY: text('must be the API key of your Dots app, one word.', { pattern: '^\\S+$', file: true }),
    DOTS_API_URL: text('must be an https:// URL without a query (http:// only on this machine).', {
      check: (url) => webUrl(url)?.search === '' && webUrl(url)?.hash === '',
      url: true,
      default: 'https://api.dots.dev/api',
    }),
    DOTS_MAX_IN_FLIGHT: integer(1, 10_000, 128),
    DOTS_APP_ID: optional('must be one word without spaces.', { pattern: PRINTABLE }),
    DOTS_WEBHOOK_SECRET: optional(SECRETS_RULE, SECRETS),
    PUBLIC_URL: optional("must be the shop's https:// URL, without a path (http:// only on this machine).", {
      check: (url) => webUrl(url)?.href === `${webUrl(url)?.origin}/`,
      url: true,
    }),
    HOST: text('must be the IP address or host name to listen on.', { default: '0.0.0.0' }),
    PORT: integer(0, 65_535, 3000),
    CATALOG_PATH: text('must be the path of the catalog file.', { default: DEFAULT_CATALOG_PATH }),
    DATABASE_URL: text(DATABASE_RULE, {
      check: (url) => DATABASE_URL.test(url),
      default: 'sqlite:data/buy-links.db',
      file: true,
    }),
    REDIS_URL: optional('is not supported by this version yet: remove it.', {
      check: () => false,
      file: true,
    }),
    WARM_CHECKOUTS: integer(0, 100_000, 0),
    TRUST_PROXY: optional(NETWORKS_RULE, { check: eachOf(isNetwork) }),
    RATE_LIMIT_MAX: integer(1, 1_000_000, 60),
    RATE_LIMIT_WINDOW: integer(1, 86_400, 60, 'of seconds '),
    // Dots takes `0 < expires_in < 10800`; a buyer needs a minute to type a card number.
    CHECKOUT_EXPIRES_IN: integer(60, 10_799, 10_799, 'of seconds '),
    CHECKOUT_HOSTS: optional('must list host names such as pay.example.com, separated by commas.', {
      // A wildcard would be read as a name that no host has, and every sale would be refused.
      check: eachOf((host) => /^[^*/\\?#@\s]+$/.test(host) && URL.canParse(`https://${host}`)),
    }),
    LINK_SIGNING_SECRET: optional(
      `must list one or several secrets of ${MIN_SECRET_LENGTH} characters or more, separated by commas, the signing one first.`,
      { check: eachOf(isLongEnough), file: true },
    ),
    LINK_PROTECTION: Type.Enum(['standard', 'confirm'], {
      rule: 'must be "standard" or "confirm".',
      default: 'standard',
    }),
    ADMIN_TOKEN: optional('must be one word of printable ASCII.', { pattern: PRINTABLE, file: true }),
    FULFILLMENT_URL: optional(URL_RULE, ANY_URL),
    FULFILLMENT_SECRET: optional(SECRETS_RULE, SECRETS),
    // What is wrong with them is found in `readEnvironment`, since they are used only with NODE_USE_ENV_PROXY.
    HTTPS_PROXY: optional(PROXY_RULE, {}),
    HTTP_PROXY: optional(PROXY_RULE, {}),
    NO_PROXY: optional('must list host names, separated by commas.', {}),
    NODE_USE_ENV_PROXY: optional('must be 1, or absent.', {}),
    MERCHANT_NAME: text('must be at most 100 characters.', { maxLength: 100, default: 'Shop' }),
    SUPPORT_EMAIL: optional('must be an email address.', { pattern: '^[^\\s@<>]+@[^\\s@<>]+$' }),
    ACCENT_COLOR: optional('must be a colour such as #0a7d5a.', { pattern: '^#[0-9a-fA-F]{6}$' }),
    LOGO_URL: optional(URL_RULE, ANY_URL),
    LEGAL_LINKS: optional(
      'must list links such as Terms=https://shop.example/terms, Privacy=https://shop.example/privacy (http:// only on this machine; a comma in a URL is %2C).',
      { check: eachOf((entry) => legalLink(entry) !== undefined) },
    ),
    LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      rule: 'must be fatal, error, warn, info, debug, trace or silent.',
      default: 'info',
    }),
  },
  {
    additionalProperties: false,
    dependencies: { FULFILLMENT_URL: ['FULFILLMENT_SECRET'], FULFILLMENT_SECRET: ['FULFILLMENT_URL'] },
  },
)

/** The settings after validation and defaults, still under their environment names. */
export type Settings = Static<typeof ConfigSchema>

/** Splits a list setting: spaces around an entry and empty entries do not count. */
export function commaList(list = ''): readonly string[] {
  return list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}

/** `Terms=https://shop.example/terms`, parsed; undefined for anything else. */
export function legalLink(entry: string): { label: string; url: string } | undefined {
  const [, label = '', address = ''] = /^([^=]+)=(.+)$/.exec(entry) ?? []
  const url = webUrl(address.trim())
  return url === undefined || label.trim() === '' ? undefined : { label: label.trim(), url: url.href }
}

function eachOf(check: (entry: string) => boolean): (list: string) => boolean {
  return (list) => commaList(list).length > 0 && commaList(list).every(check)
}

/** An IP address or a network. /0 is refused: it would trust every client. */
function isNetwork(entry: string): boolean {
  // `compile` alone would also take short forms such as "1", netmasks, and names such as "loopback".
  const [, ip = ''] = /^([^/]+)(?:\/[1-9]\d{0,2})?$/.exec(entry) ?? []
  if (isIP(ip) === 0) return false
  try {
    return compile(entry) !== undefined
  } catch {
    return false
  }
}
