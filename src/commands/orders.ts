import { CHECKOUT_STATES, type Checkout } from '../store/checkout.ts'
import { openStore } from '../store/open-store.ts'
import type { CheckoutFilter, Store } from '../store/store.ts'
import { parseWords, runCommand, UsageError } from './command.ts'
import { csvLine, type OrderRow, orderRow, ROW_NAMES, tableLine } from './order-row.ts'
import { parseSince } from './period.ts'

const USAGE = `npm run orders -- [filters] [--json | --csv]
npm run orders -- --resend CHECKOUT_ID

Lists checkouts, the newest first.

  --state STATE   ${CHECKOUT_STATES.join(', ')}
  --sku SKU       those with this product in them
  --since 7d      made since then: 30m, 24h, 7d, or a time (UTC where it names no zone)
  --day DAY       made on this day (UTC), such as 2026-11-22
  --failed        those whose announcement was given up, and flagged ones
  --json, --csv   for programs and for accountants
  --resend ID     announces a paid order once more`

const PAGE = 200

await runCommand(USAGE, async (config) => {
  const { values } = parseWords({
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
  const filter = { ...period(values), state: stateOf(values.state), failed: values.failed }
  if (values.json && values.csv) throw new UsageError('--json and --csv exclude one another.')
  const store = await openStore(config.databaseUrl)
  try {
    if (values.resend !== undefined) await resend(store, values.resend, config.fulfillment !== undefined)
    else await list(store, filter, values)
  } finally {
    await store.close()
  }
})

async function resend(store: Store, checkoutId: string, canAnnounce: boolean): Promise<void> {
  if (!canAnnounce) throw new UsageError('FULFILLMENT_URL is not set: there is nobody to announce to.')
  if ((await store.outbox.resend(checkoutId)) === 'unknown') {
    throw new UsageError(`There is no announcement for ${checkoutId}: only paid orders have one.`)
  }
  console.log(`${checkoutId} will be announced once more by the running service, within seconds.`)
}

interface Output {
  sku?: string | undefined
  json: boolean
  csv: boolean
}

async function list(store: Store, filter: CheckoutFilter, { sku, json, csv }: Output): Promise<void> {
  const rows = orderRows(store, filter, sku)
  if (json) {
    // An array that grows line by line: a year's orders do not have to fit into memory.
    let first = true
    process.stdout.write('[')
    for await (const row of rows) {
      process.stdout.write(`${first ? '\n' : ',\n'}${JSON.stringify(row)}`)
      first = false
    }
    process.stdout.write('\n]\n')
    return
  }
  process.stdout.write(`${csv ? csvLine([...ROW_NAMES]) : tableLine()}\n`)
  let count = 0
  for await (const row of rows) {
    process.stdout.write(`${csv ? csvLine(ROW_NAMES.map((name) => row[name])) : tableLine(row)}\n`)
    count += 1
  }
  if (!csv) console.log(`${count} checkouts`)
}

async function* orderRows(
  store: Store,
  filter: CheckoutFilter,
  sku: string | undefined,
): AsyncGenerator<OrderRow> {
  let after: Checkout | undefined
  do {
    const page: Checkout[] = await store.checkouts.list(filter, PAGE, after)
    for (const checkout of page) {
      if (sku === undefined || checkout.items.some((item) => item.sku === sku)) {
        yield orderRow(checkout, await store.outbox.find(checkout.id))
      }
    }
    after = page.length < PAGE ? undefined : page.at(-1)
  } while (after !== undefined)
}

function stateOf(text: string | undefined) {
  if (text === undefined) return undefined
  const state = CHECKOUT_STATES.find((known) => known === text)
  if (state === undefined) throw new UsageError(`--state takes one of ${CHECKOUT_STATES.join(', ')}.`)
  return state
}

function period({ since, day }: { since?: string; day?: string }): CheckoutFilter {
  if (day !== undefined) {
    const start = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
    // The 31st of a shorter month is read as a day of the next one: that is no day to account for.
    const exists = !Number.isNaN(start) && new Date(start).toISOString().startsWith(day)
    if (!exists || since !== undefined) {
      throw new UsageError('--day takes a day such as 2026-11-22, and not together with --since.')
    }
    return { since: new Date(start).toISOString(), until: new Date(start + 86_400_000).toISOString() }
  }
  if (since === undefined) return {}
  const time = parseSince(since, new Date())
  if (time === undefined) throw new UsageError('--since takes 30m, 24h, 7d, or a time.')
  return { since: time.toISOString() }
}
