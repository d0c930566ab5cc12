import '../node-version.js'
import { writeFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { parseArgs } from 'node:util'
import { type Catalog, readCatalog } from '../catalog/catalog.ts'
import { type Product, quantityLimits } from '../catalog/product.ts'
import { similarProducts } from '../catalog/similar.ts'
import { type Config, loadConfig } from '../config.ts'
import { hasCode } from '../errors.ts'
import { type Cart, makeCart, skuOfToken } from '../links/cart.ts'
import { buildLink, LINK_BUDGETS, type Signing } from '../links/link-builder.ts'
import { qrPng, qrSvg } from '../links/qr.ts'
import { emailButton } from '../pages/stylesheet.ts'
import { isLoopbackHost } from '../web-url.ts'
import { command, type Io, parseTime, processIo, UsageError, withOutput } from './command.ts'

const USAGE = `npm run link -- SKU[:N] [SKU[:N]…] [options]

Prints a buy link and how long it is.

  --quantity N           of the one product
  --email EMAIL          fills in the buyer's email
  --reference TEXT       client_reference_id: letters, digits, _ and -
  --metadata KEY=VALUE   may be given several times
  --utm-source TEXT      likewise --utm-medium, --utm-campaign, --utm-term, --utm-content, --ref
  --continue-to PATH     leads to a page of the shop first, with the cart saved, instead of to the checkout
  --html                 prints a button for an email
  --qr FILE.svg|FILE.png writes the link as a QR code
  --out FILE             writes the link or the button to a file instead of stdout

These make it a signed link, which only the shop can change (needs LINK_SIGNING_SECRET):

  --amount CENTS         price of one unit, for one product
  --customer-id UUID, --user-id UUID
  --expires 30m|24h|7d|ISO   a time without a zone is UTC
  --uses N               how many orders can be placed with it`

/** To make a link, no credentials of Dots are needed. */
const FALLBACKS = { DOTS_CLIENT_ID: 'not-needed', DOTS_API_KEY: 'not-needed' }

const LOCAL_LINK_WARNING =
  'Warning: this link leads to this machine, nobody else can open it. Set PUBLIC_URL to the URL that buyers see.'

/** Prints a buy link, and its length on stderr. */
export const main = command(USAGE, async (argv, io) => {
  const config = loadConfig(io.env, { dotenvPath: io.dotenvPath, fallbacks: FALLBACKS })
  const { values, positionals } = readOptions(argv)
  const catalog = await readCatalog(config.catalogPath)
  const link = makeLink(config, catalog, positionals, values, io)
  if (values.qr !== undefined) {
    await writeQr(values.qr, link)
    io.err(`Wrote ${values.qr}.`)
  }
  await withOutput(io, values.out, async ({ out }) =>
    out(values.html ? emailButton(link, config.shop.accentColor) : link),
  )
  const isLocal = isLoopbackHost(new URL(config.shop.publicUrl).hostname)
  io.err(isLocal ? LOCAL_LINK_WARNING : lengthLine(link))
  return 0
})

function readOptions(argv: readonly string[]) {
  return parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      quantity: { type: 'string' },
      email: { type: 'string' },
      reference: { type: 'string' },
      metadata: { type: 'string', multiple: true },
      'utm-source': { type: 'string' },
      'utm-medium': { type: 'string' },
      'utm-campaign': { type: 'string' },
      'utm-term': { type: 'string' },
      'utm-content': { type: 'string' },
      ref: { type: 'string' },
      'continue-to': { type: 'string' },
      amount: { type: 'string' },
      'customer-id': { type: 'string' },
      'user-id': { type: 'string' },
      expires: { type: 'string' },
      uses: { type: 'string' },
      html: { type: 'boolean', default: false },
      qr: { type: 'string' },
      out: { type: 'string' },
    },
  })
}

type Options = ReturnType<typeof readOptions>['values']

/** @throws UsageError where no such link can be made. */
function makeLink(config: Config, catalog: Catalog, words: string[], options: Options, io: Io): string {
  try {
    const items = readItems(words, options.quantity, catalog)
    const metadata = options.metadata && readMetadata(options.metadata)
    checkItems(items, catalog, io)
    warnOfOwnKeys(items, catalog, metadata, io)
    return buildLink({
      publicUrl: new URL(config.shop.publicUrl),
      items,
      parameters: {
        email: options.email,
        clientReferenceId: options.reference,
        metadata,
        continueTo: options['continue-to'],
        attribution: readAttribution(options),
      },
      signing: readSigning(config, options),
    })
  } catch (error) {
    if (!hasCode(error, 'malformed-link')) throw error
    throw new UsageError(`No such link can be made: ${error.details.reason}.`)
  }
}

/** `--utm-source` becomes `utm_source`, and so on. */
function readAttribution(options: Options): Record<string, string> {
  const given = Object.entries(options).flatMap(([name, value]) =>
    /^(?:utm-|ref$)/.test(name) && typeof value === 'string' ? [[name.replace('-', '_'), value]] : [],
  )
  return Object.fromEntries(given)
}

function readSigning({ linkSigningSecrets: secrets }: Config, options: Options): Signing | undefined {
  const { amount, expires, uses, 'customer-id': customerId, 'user-id': userId } = options
  if ([amount, expires, uses, customerId, userId].every((option) => option === undefined)) return undefined
  if (secrets.length === 0) {
    throw new UsageError(
      'This link has to be signed: set LINK_SIGNING_SECRET to the same value as the service.',
    )
  }
  return {
    secrets,
    amount: wholeNumber(amount, '--amount'),
    uses: wholeNumber(uses, '--uses'),
    customerId,
    userId,
    expiresAt: readExpiry(expires, new Date()),
  }
}

/** Where no quantity is given, it is the least that the product is sold in. */
function readItems(words: readonly string[], quantity: string | undefined, catalog: Catalog): Cart {
  const items = words.map((word): { product: Product; count?: number } => {
    const named = catalog.find(word)
    if (named !== undefined) return { product: named }
    const [, sku = word, count] = /^(.+):([1-9]\d*)$/su.exec(word) ?? []
    return { product: findProduct(catalog, sku), count: count === undefined ? undefined : Number(count) }
  })
  const [first, ...more] = items
  if (first === undefined) throw new UsageError('Name a product by its sku.')
  if (quantity !== undefined && (more.length > 0 || first.count !== undefined)) {
    throw new UsageError('--quantity is for one product without :N.')
  }
  first.count ??= wholeNumber(quantity, '--quantity')
  return makeCart(
    items.map(({ product, count }) => ({
      sku: product.sku,
      quantity: count ?? quantityLimits(product).minimum,
    })),
  )
}

/** By its sku, however that is typed, or by the ~ form that links use. */
function findProduct(catalog: Catalog, word: string): Product {
  const product = catalog.findPlain(word) ?? catalog.find(skuOfToken(word))
  if (product !== undefined) return product
  const similar = similarProducts(catalog, word, new Date(), 3).map(({ sku }) => sku)
  const hint = similar.length > 0 ? ` Do you mean ${similar.join(' or ')}?` : ''
  throw new UsageError(`The catalog has no product ${word}.${hint}`)
}

/** The metadata of a product wins over that of a link. */
function warnOfOwnKeys(items: Cart, catalog: Catalog, metadata: Record<string, string> = {}, io: Io): void {
  const [only, ...more] = items
  const own = only && more.length === 0 ? catalog.find(only.sku)?.metadata : undefined
  for (const key of Object.keys(metadata)) {
    if (own && Object.hasOwn(own, key))
      io.err(`Warning: the catalog sets the metadata ${key} of ${only?.sku}, which wins.`)
  }
}

function checkItems(items: Cart, catalog: Catalog, io: Io): void {
  for (const { sku, quantity } of items) {
    const product = findProduct(catalog, sku)
    const { minimum, maximum } = quantityLimits(product)
    if (quantity < minimum || quantity > maximum) {
      throw new UsageError(`${sku} is sold in quantities from ${minimum} to ${maximum}.`)
    }
    if (!product.active) io.err(`Note: ${sku} is not active, and the link's page will say so.`)
  }
}

function readMetadata(entries: readonly string[]): Record<string, string> {
  const pairs = entries.map((entry) => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(entry) ?? []
    if (key === undefined) throw new UsageError('--metadata takes KEY=VALUE.')
    return [key, value]
  })
  return Object.fromEntries(pairs)
}

function readExpiry(text: string | undefined, now: Date): Date | undefined {
  if (text === undefined) return undefined
  const time = parseTime(text, now, 1)
  if (time === undefined || time <= now) {
    throw new UsageError('--expires takes 30m, 24h, 7d, or a time in the future.')
  }
  return time
}

function wholeNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`${name} takes a whole number of at least 1.`)
  return Number(text)
}

/** How long a link is, and where it fits. */
export function lengthLine({ length }: string): string {
  const { print, campaign, email } = LINK_BUDGETS
  const verdict =
    length <= print
      ? 'fits everywhere, QR codes and print too'
      : length <= campaign
        ? 'too long for QR codes and print (512); fits SMS and campaigns'
        : length <= email
          ? 'too long for SMS and campaigns (1,024); fits email'
          : 'too long for email (2,048): make it shorter'
  return `${length} characters: ${verdict}.`
}

const QR_FORMATS: Record<string, (link: string) => string | Uint8Array> = { '.png': qrPng, '.svg': qrSvg }

async function writeQr(path: string, link: string): Promise<void> {
  const draw = QR_FORMATS[extname(path).toLowerCase()]
  if (draw === undefined) throw new UsageError('--qr takes a file that ends in .svg or .png.')
  let code: string | Uint8Array
  try {
    code = draw(link)
  } catch {
    throw new UsageError(`The link is too long for a QR code: ${link.length} characters.`)
  }
  try {
    await writeFile(path, code)
  } catch (error) {
    throw new UsageError(`--qr cannot write ${path}: ${error}`)
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), processIo())
