import '../node-version.js'
import { parseArgs } from 'node:util'
import { readCatalog } from '../catalog/catalog.ts'
import { CatalogError } from '../catalog/problems.ts'
import { loadConfig } from '../config.ts'
import { hasCode } from '../errors.ts'
import { encodeSku, skuOfToken } from '../links/cart.ts'
import { decimalAmount } from '../pages/money.ts'
import { plainForm } from '../plain-form.ts'
import { CHECKOUT_STATES, type Checkout } from '../store/checkout.ts'
import type { CheckoutFilter, ListedCheckout } from '../store/checkout-lookups.ts'
import type { Store } from '../store/open-store.ts'
import { command, type Io, parseSince, processIo, UsageError, withOutput } from './command.ts'
import { openForCommand } from './open-services.ts'

type Cell = string | number | null

/** `amount_total` and `amount_paid` are cents, `amount` the total in the currency's own unit. */
const COLUMNS = {
  checkout_id: ({ id }) => id,
  state: ({ state }) => state,
  created_at: ({ createdAt }) => createdAt,
  completed_at: ({ completedAt }) => completedAt,
  items: ({ items }) => readableItems(items),
  amount_total: ({ amountTotal }) => amountTotal,
  amount: ({ amountTotal, currency }) => decimalAmount(amountTotal, currency),
  currency: ({ currency }) => currency,
  amount_paid: ({ amountPaid }) => amountPaid,
  customer_email: ({ customerEmail }) => customerEmail,
  client_reference_id: ({ clientReferenceId }) => clientReferenceId,
  session_id: ({ sessionId }) => sessionId,
  payment_intent_id: ({ paymentIntentId }) => paymentIntentId,
  announcement: (_, announcement) => announcement?.state ?? null,
  flags: ({ flags }) => flags.join(' '),
  failure: ({ failure }, announcement) => announcement?.lastError ?? failure,
} satisfies Record<string, (checkout: Checkout, announcement: ListedCheckout['announcement']) => Cell>

const COLUMN_NAMES = Object.keys(COLUMNS)

/** One checkout, flat, with its cells in the order of the columns. */
type OrderRow = Record<string, Cell>

const USAGE = `npm run orders -- [filters] [--json | --csv]
npm run orders -- --resend CHECKOUT_ID

Lists checkouts, the newest first.

  --state STATE   ${CHECKOUT_STATES.join(', ')}
  --sku SKU       those with this product in them
  --since 7d      created since then: 30m, 24h, 7d, or a time (UTC where it names no zone)
  --day DAY       created on this day (UTC), such as 2026-11-22
  --failed        those whose announcement failed permanently, and flagged ones
  --json, --csv   for programs and for accountants
  --out FILE      writes the list to a file instead of stdout
  --resend ID     announces a paid order once more, or one whose announcement is held or none`

const PAGE_SIZE = 200

/** Lists checkouts, or has one order announced again. */
export const main = command(USAGE, async (argv, io) => {
  const config = loadConfig(io.env, { dotenvPath: io.dotenvPath })
  const { values } = parseArgs({
    args: argv,
    options: {
      state: { type: 'string' },
      sku: { type: 'string' },
      since: { type: 'string' },
      day: { type: 'string' },
      failed: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      csv: { type: 'boolean', default: false },
      resend: { type: 'string' },
      out: { type: 'string' },
    },
  })
  const { failed, json, csv, resend: resendId } = values
  const sku = values.sku === undefined ? undefined : await storedSku(config.catalogPath, values.sku)
  const filter = { ...period(values), state: stateOf(values.state), sku, failed }
  if (json && csv) throw new UsageError('--json and --csv exclude one another.')
  if (resendId !== undefined && config.fulfillment === undefined) {
    throw new UsageError('FULFILLMENT_URL is not set: orders are not announced.')
  }
  await using services = await openForCommand(config, io, { mustExist: true })
  const { store } = services
  const print = json ? printJson : csv ? printCsv : printTable
  if (resendId !== undefined) await resend(store, resendId, io)
  else await withOutput(io, values.out, (output) => print(orderRows(store, filter), output))
  return 0
})

/** The sku as the catalog writes it and orders have it, however it is typed; without a readable catalog its plain form. */
async function storedSku(catalogPath: string, text: string): Promise<string> {
  try {
    const catalog = await readCatalog(catalogPath)
    const product = catalog.find(text) ?? catalog.findPlain(text) ?? catalog.find(skuOfToken(text))
    if (product !== undefined) return product.sku
  } catch (error) {
    // The list does not depend on a valid catalog, and a text may begin with ~ without being a token.
    if (!(error instanceof CatalogError) && !hasCode(error, 'malformed-link')) throw error
  }
  return plainForm(text)
}

/** `café:1,tee:2`; a sku with one of these characters in it has its ~ form, so that a program can take it apart. */
function readableItems(items: Checkout['items']): string {
  return items.map(({ sku, quantity }) => `${/[,:]|^~/.test(sku) ? encodeSku(sku) : sku}:${quantity}`).join()
}

async function resend(store: Store, checkoutId: string, io: Io): Promise<void> {
  if ((await store.outbox.resend(checkoutId)) === 'unknown') {
    throw new UsageError(`There is no announcement for ${checkoutId}: only paid orders have one.`)
  }
  io.out(`The running service will announce ${checkoutId} again within seconds.`)
}

/** Line by line: a year's orders do not have to fit into memory. */
async function printJson(rows: AsyncIterable<OrderRow>, io: Io): Promise<void> {
  let line = '['
  let end = ''
  for await (const row of rows) {
    io.out(line + end)
    line = JSON.stringify(row)
    end = ','
  }
  io.out(line)
  io.out(']')
}

async function printCsv(rows: AsyncIterable<OrderRow>, io: Io): Promise<void> {
  io.out(csvLine(COLUMN_NAMES))
  for await (const row of rows) io.out(csvLine(Object.values(row)))
}

async function printTable(rows: AsyncIterable<OrderRow>, io: Io): Promise<void> {
  io.out(tableLine(['made', 'state', 'amount', 'announced', 'checkout', 'items']))
  let count = 0
  for await (const row of rows) {
    io.out(tableRow(row))
    count += 1
  }
  io.out(`${count} checkouts`)
}

async function* orderRows(store: Store, filter: CheckoutFilter): AsyncGenerator<OrderRow> {
  let after: Checkout | undefined
  do {
    const page = await store.checkouts.list(filter, PAGE_SIZE, after)
    for (const listed of page) yield orderRow(listed)
    after = page.length < PAGE_SIZE ? undefined : page.at(-1)?.checkout
  } while (after !== undefined)
}

/** A checkout and the state of its announcement, for a list. */
function orderRow({ checkout, announcement }: ListedCheckout): OrderRow {
  return Object.fromEntries(
    Object.entries(COLUMNS).map(([name, cell]) => [name, cell(checkout, announcement)]),
  )
}

/**
 * One line of CSV (RFC 4180). A cell that a spreadsheet would run as a formula is quoted with an apostrophe
 * (OWASP, "CSV Injection"); numbers are written as they are.
 */
function csvLine(cells: readonly Cell[]): string {
  return cells.map(csvCell).join(',')
}

function csvCell(value: Cell): string {
  if (typeof value !== 'string') return String(value ?? '')
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** One line of the table for people. */
function tableRow(row: OrderRow): string {
  return tableLine([
    String(row.created_at).slice(0, 16).replace('T', ' '),
    row.state,
    `${row.amount} ${row.currency}`,
    [row.announcement, row.flags].filter(Boolean).join(' ') || '-',
    row.checkout_id,
    row.items,
  ])
}

function tableLine(cells: readonly unknown[]): string {
  const widths = [16, 8, 14, 10, 36, 0]
  return cells.map((cell, index) => String(cell).padEnd(widths[index] ?? 0)).join('  ')
}

function stateOf(text: string | undefined) {
  const state = CHECKOUT_STATES.find((known) => known === text)
  if (state !== text) throw new UsageError(`--state takes one of ${CHECKOUT_STATES.join(', ')}.`)
  return state
}

function period({ since, day }: { since?: string; day?: string }): CheckoutFilter {
  if (day === undefined) return since === undefined ? {} : { since: parseSince(since).toISOString() }
  const start = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  // Date.parse reads 31 February as 3 March.
  const exists = !Number.isNaN(start) && new Date(start).toISOString().startsWith(day)
  if (!exists || since !== undefined) {
    throw new UsageError('--day takes a day such as 2026-11-22, and not together with --since.')
  }
  return { since: new Date(start).toISOString(), until: new Date(start + 86_400_000).toISOString() }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), processIo())
