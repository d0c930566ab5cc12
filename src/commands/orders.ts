import '../node-version.js'
import { parseArgs } from 'node:util'
import { loadConfig } from '../config.ts'
import { CHECKOUT_STATES, type Checkout } from '../store/checkout.ts'
import type { CheckoutFilter } from '../store/checkout-lookups.ts'
import type { Store } from '../store/open-store.ts'
import { command, type Io, parseSince, processIo, UsageError } from './command.ts'
import { openForCommand } from './open-services.ts'
import { COLUMN_NAMES, csvLine, type OrderRow, orderRow, TABLE_HEADING, tableRow } from './order-row.ts'

const USAGE = `npm run orders -- [filters] [--json | --csv]
npm run orders -- --resend CHECKOUT_ID

Lists checkouts, the newest first.

  --state STATE   ${CHECKOUT_STATES.join(', ')}
  --sku SKU       those with this product in them
  --since 7d      created since then: 30m, 24h, 7d, or a time (UTC where it names no zone)
  --day DAY       created on this day (UTC), such as 2026-11-22
  --failed        those whose announcement failed permanently, and flagged ones
  --json, --csv   for programs and for accountants
  --resend ID     announces a paid order once more`

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
    },
  })
  const { sku, failed, json, csv, resend: resendId } = values
  const filter = { ...period(values), state: stateOf(values.state), sku, failed }
  if (json && csv) throw new UsageError('--json and --csv exclude one another.')
  if (resendId !== undefined && config.fulfillment === undefined) {
    throw new UsageError('FULFILLMENT_URL is not set: orders are not announced.')
  }
  await using services = await openForCommand(config, io)
  const { store } = services
  const print = json ? printJson : csv ? printCsv : printTable
  await (resendId === undefined ? print(orderRows(store, filter), io) : resend(store, resendId, io))
  return 0
})

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
  io.out(TABLE_HEADING)
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
