import { writeFile } from 'node:fs/promises'
import { type Catalog, readCatalog } from '../catalog/catalog.ts'
import { quantityLimits } from '../catalog/product.ts'
import type { Config } from '../config.ts'
import { hasCode } from '../errors.ts'
import { type Cart, makeCart, parseItems } from '../links/cart.ts'
import { buildLink, lengthBudget, type Signing } from '../links/link-builder.ts'
import { qrPng, qrSvg } from '../links/qr.ts'
import { emailButton } from '../pages/email-button.ts'
import { parseWords, runCommand, UsageError } from './command.ts'
import { parsePeriod, parseTime } from './period.ts'

const USAGE = `npm run link -- SKU[:N] [SKU[:N]…] [options]

Prints a buy link and how long it is.

  --quantity N           of the one product
  --email ADDRESS        fills in the buyer's email
  --reference TEXT       client_reference_id: letters, digits, _ and -
  --metadata KEY=VALUE   may be given several times
  --utm-source TEXT      likewise --utm-medium, --utm-campaign, --utm-term, --utm-content, --ref
  --continue-to PATH     leads to a page of the shop, the selection kept, instead of straight to the checkout
  --html                 prints a button for an email
  --qr FILE.svg|FILE.png writes the link as a QR code

These make it a signed link, which nobody can change (LINK_SIGNING_SECRET):

  --amount CENTS         price of one unit, for one product
  --customer-id UUID, --user-id UUID
  --expires 30m|24h|7d|ISO   a time without a zone is UTC
  --uses N               how many orders it is good for`

await runCommand(
  USAGE,
  async (config) => {
    const { values, positionals } = parseWords({
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
      },
    })
    const items = readItems(positionals, values.quantity)
    checkItems(await readCatalog(config.catalogPath), items)
    const link = makeLink(config, items, values)
    if (values.qr !== undefined) await writeQr(values.qr, link)
    if (values.html) console.log(emailButton(link, config.merchant.accentColor))
    else console.log(link)
    console.error(budgetLine(link))
  },
  // A link holds nothing of the account at Dots, so it can be made where the account is not known.
  { DOTS_CLIENT_ID: 'not-needed', DOTS_API_KEY: 'not-needed' },
)

interface Words {
  email?: string
  reference?: string
  metadata?: string[]
  'utm-source'?: string
  'utm-medium'?: string
  'utm-campaign'?: string
  'utm-term'?: string
  'utm-content'?: string
  ref?: string
  'continue-to'?: string
  amount?: string
  'customer-id'?: string
  'user-id'?: string
  expires?: string
  uses?: string
}

function makeLink(config: Config, items: Cart, words: Words): string {
  const signing = readSigning(config, words)
  const attribution = Object.entries({
    utm_source: words['utm-source'],
    utm_medium: words['utm-medium'],
    utm_campaign: words['utm-campaign'],
    utm_term: words['utm-term'],
    utm_content: words['utm-content'],
    ref: words.ref,
  }).filter((entry): entry is [string, string] => entry[1] !== undefined)
  try {
    return buildLink({
      publicUrl: new URL(config.publicUrl),
      items,
      parameters: {
        ...(words.email !== undefined && { email: words.email }),
        ...(words.reference !== undefined && { clientReferenceId: words.reference }),
        ...(words.metadata !== undefined && { metadata: readMetadata(words.metadata) }),
        ...(words['continue-to'] !== undefined && { continueTo: words['continue-to'] }),
        attribution: Object.fromEntries(attribution),
      },
      ...(signing !== undefined && { signing }),
    })
  } catch (error) {
    if (hasCode(error, 'malformed-link')) {
      throw new UsageError(`No such link can be made: ${error.details.reason}.`)
    }
    throw error
  }
}

function readSigning({ linkSigningSecrets }: Config, words: Words): Signing | undefined {
  const { amount, expires, uses, 'customer-id': customerId, 'user-id': userId } = words
  if ([amount, expires, uses, customerId, userId].every((word) => word === undefined)) return undefined
  if (linkSigningSecrets.length === 0) {
    throw new UsageError(
      'Such a link has to be signed: set LINK_SIGNING_SECRET, the same as the service has.',
    )
  }
  return {
    secrets: linkSigningSecrets,
    ...(amount !== undefined && { amount: wholeNumber(amount, '--amount') }),
    ...(uses !== undefined && { uses: wholeNumber(uses, '--uses') }),
    ...(customerId !== undefined && { customerId }),
    ...(userId !== undefined && { userId }),
    ...(expires !== undefined && { expiresAt: readExpiry(expires, new Date()) }),
  }
}

function readItems(words: readonly string[], quantity: string | undefined): Cart {
  if (words.length === 0) throw new UsageError('Name a product by its sku.')
  const items = words.map((word) => {
    const parts = /^(.+):([1-9]\d*)$/su.exec(word)
    return { sku: parts?.[1] ?? word, quantity: parts === null ? 1 : Number(parts[2]) }
  })
  const [first, ...more] = items
  if (quantity !== undefined) {
    if (first === undefined || more.length > 0 || first.quantity !== 1) {
      throw new UsageError('--quantity is for one product without :N.')
    }
    first.quantity = wholeNumber(quantity, '--quantity')
  }
  try {
    // The same skus that a link can spell with ~ may be written so here.
    return makeCart(items.map((item) => ({ ...item, sku: plainSku(item.sku) })))
  } catch (error) {
    if (hasCode(error, 'malformed-link')) {
      throw new UsageError(`No such link can be made: ${error.details.reason}.`)
    }
    throw error
  }
}

function plainSku(word: string): string {
  if (!word.startsWith('~')) return word
  const items = parseItems(word)
  return items.form === 'bare' ? items.sku : word
}

function checkItems(catalog: Catalog, items: Cart): void {
  for (const { sku, quantity } of items) {
    const product = catalog.find(sku)
    if (product === undefined) throw new UsageError(`The catalog has no product ${sku}.`)
    const { minimum, maximum } = quantityLimits(product)
    if (quantity < minimum || quantity > maximum) {
      throw new UsageError(`${sku} is sold in quantities from ${minimum} to ${maximum}.`)
    }
    if (!product.active) console.error(`Note: ${sku} is not active, the link will say so.`)
  }
}

function readMetadata(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('=')
      if (at < 1) throw new UsageError('--metadata takes KEY=VALUE.')
      return [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

function readExpiry(text: string, now: Date): Date {
  const seconds = parsePeriod(text)
  const time = seconds === undefined ? parseTime(text) : new Date(now.getTime() + seconds * 1000)
  if (time === undefined || time <= now) {
    throw new UsageError('--expires takes 30m, 24h, 7d, or a time that is still to come.')
  }
  return time
}

function wholeNumber(text: string, name: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`${name} takes a whole number of at least 1.`)
  return Number(text)
}

function budgetLine(link: string): string {
  const { octets, print, campaign, email } = lengthBudget(link)
  const verdict = print
    ? 'fits everywhere, QR codes and print too'
    : campaign
      ? 'too long for QR codes and print (512); fits SMS and campaigns'
      : email
        ? 'too long for SMS and campaigns (1,024); fits email'
        : 'too long for email (2,048): make it shorter'
  return `${octets} octets: ${verdict}.`
}

async function writeQr(path: string, link: string): Promise<void> {
  if (!/\.(?:svg|png)$/i.test(path)) throw new UsageError('--qr takes a file that ends in .svg or .png.')
  const code = drawQr(path, link)
  try {
    await writeFile(path, code)
  } catch (error) {
    throw new UsageError(
      `--qr cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  console.error(`Wrote ${path}.`)
}

function drawQr(path: string, link: string): string | Uint8Array {
  try {
    return /\.png$/i.test(path) ? qrPng(link) : qrSvg(link)
  } catch {
    throw new UsageError(`The link is too long for a QR code: ${lengthBudget(link).octets} octets.`)
  }
}
