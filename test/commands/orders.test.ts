import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { type Click, checkoutOf, click } from '../checkout/clicks.ts'
import { FULFILLMENT_SECRET, startReceiver } from '../orders/receiver.ts'
import { change, IDLE_JOBS, payQuietly, rows, startWithWebhook } from '../orders/sale.ts'
import { startService } from '../service.ts'
import { envOf, runBeside, runScript } from './run-command.ts'

async function shopWithOrders() {
  const shop = await startService({ pace: IDLE_JOBS })
  const paid = await click(shop, '/buy/tee:2,mug:3?email=jane@example.com&client_reference_id=ref-1')
  await payQuietly(shop, paid.session)
  await shop.get(`/success?checkout=${paid.checkoutId}`)
  const open = await click(shop, '/buy/tee')
  const expired = await click(shop, '/buy/mug:2')
  shop.sandbox.expire(expired.session.id)
  await shop.get(`/success?checkout=${expired.checkoutId}`)
  const ids = async (...words: string[]) => {
    const run = await runBeside(shop, 'orders', [...words, '--json'])
    expect(run).toMatchObject({ code: 0, stderr: '' })
    const list: { checkout_id: string }[] = JSON.parse(run.stdout)
    return list.map((row) => row.checkout_id)
  }
  return { shop, paid, open, expired, ids }
}

/** Reads CSV the way RFC 4180 writes it. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [[]]
  for (const [, cell = '', end] of text.matchAll(/("(?:[^"]|"")*"|[^",\n]*)(,|\n)/g)) {
    lines.at(-1)?.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell)
    if (end === '\n') lines.push([])
  }
  return lines.filter((line) => line.length > 0)
}

test('it lists all checkouts, the newest first, with their state', async () => {
  const { shop, paid, open, expired } = await shopWithOrders()
  const run = await runBeside(shop, 'orders')
  expect(run).toMatchObject({ code: 0, stderr: '' })
  const [heading, ...lines] = run.stdout.trimEnd().split('\n')
  expect(heading).toMatch(/^made\s+state\s+amount\s+announced\s+checkout\s+items$/)
  expect(lines.map((line) => line.split(/\s{2,}/))).toEqual([
    [expect.any(String), 'expired', '24.00 usd', '-', expired.checkoutId, 'mug:2'],
    [expect.any(String), 'open', '25.00 usd', '-', open.checkoutId, 'tee:1'],
    [expect.any(String), 'complete', '86.00 usd', 'none', paid.checkoutId, 'tee:2,mug:3'],
    ['3 checkouts'],
  ])
})

test('it filters by state, product, day and time', async () => {
  const { shop, paid, open, expired, ids } = await shopWithOrders()
  const all = [expired.checkoutId, open.checkoutId, paid.checkoutId]
  expect(await ids()).toEqual(all)
  expect(await ids('--state', 'complete')).toEqual([paid.checkoutId])
  expect(await ids('--state', 'failed')).toEqual([])
  expect(await ids('--sku', 'mug')).toEqual([expired.checkoutId, paid.checkoutId])
  expect(await ids('--sku', 'mug', '--state', 'expired')).toEqual([expired.checkoutId])
  expect(await ids('--sku', 'none')).toEqual([])
  change(shop, `update checkouts set created_at = '2026-01-31T23:59:59.999Z' where id = '${open.checkoutId}'`)
  change(shop, `update checkouts set created_at = '2026-02-01T00:00:00.000Z' where id = '${paid.checkoutId}'`)
  expect(await ids('--day', '2026-01-31')).toEqual([open.checkoutId])
  expect(await ids('--day', '2026-02-01')).toEqual([paid.checkoutId])
  expect(await ids('--since', '1h')).toEqual([expired.checkoutId])
  expect(await ids('--since', '2026-02-01')).toEqual([expired.checkoutId, paid.checkoutId])
  expect(await ids('--since', '2026-02-01T00:00')).toEqual([expired.checkoutId, paid.checkoutId])
})

test('more checkouts than a page are all listed, each once', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  await click(shop)
  change(
    shop,
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < 450)
     insert into checkouts (id, state, items, amount_total, currency, link, metadata, created_at, updated_at)
     select 'copy-' || i, state, items, amount_total, currency, link, metadata, created_at, updated_at
     from checkouts, n`,
  )
  const { stdout } = await runBeside(shop, 'orders', ['--json'])
  const list: { checkout_id: string }[] = JSON.parse(stdout)
  expect(list).toHaveLength(451)
  expect(new Set(list.map((row) => row.checkout_id)).size).toBe(451)
})

test('amounts are given in cents and in the unit of the currency, for programs and for accountants', async () => {
  const { shop, paid } = await shopWithOrders()
  const json = await runBeside(shop, 'orders', ['--json', '--state', 'complete'])
  const checkout = await checkoutOf(shop, paid.checkoutId)
  expect(JSON.parse(json.stdout)).toEqual([
    {
      checkout_id: paid.checkoutId,
      state: 'complete',
      created_at: checkout.createdAt,
      completed_at: checkout.completedAt,
      items: 'tee:2,mug:3',
      amount_total: 8600,
      amount: '86.00',
      currency: 'usd',
      amount_paid: 8600,
      customer_email: 'jane@example.com',
      client_reference_id: 'ref-1',
      session_id: paid.session.id,
      payment_intent_id: paid.session.payment_intent_id,
      announcement: 'none',
      flags: '',
      failure: null,
    },
  ])
  const csv = await runBeside(shop, 'orders', ['--csv', '--state', 'complete'])
  const [names = [], row = [], ...more] = parseCsv(csv.stdout)
  expect(more).toEqual([])
  const cells = Object.fromEntries(names.map((name, index) => [name, row[index]]))
  expect(cells).toMatchObject({
    amount_total: '8600',
    amount: '86.00',
    currency: 'usd',
    items: 'tee:2,mug:3',
  })
})

const CELLS: [value: string, cell: string][] = [
  ['=cmd()', "'=cmd()"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@sum(a1)', "'@sum(a1)"],
  ['\t=1', "'\t=1"],
  ['\r=1', "'\r=1"],
  ['say "hi"', 'say "hi"'],
  ['a,b', 'a,b'],
  ['two\nlines', 'two\nlines'],
  ['=HYPERLINK("http://evil.example","x")', '\'=HYPERLINK("http://evil.example","x")'],
]

test('whatever a cell holds, it is text in every spreadsheet', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  for (const [value] of CELLS) {
    const { checkoutId } = await click(shop)
    const text = value.replaceAll("'", "''")
    change(shop, `update checkouts set customer_email = '${text}' where id = '${checkoutId}'`)
  }
  const { stdout } = await runBeside(shop, 'orders', ['--csv'])
  const [names = [], ...lines] = parseCsv(stdout)
  for (const line of lines) expect(line).toHaveLength(names.length)
  const at = names.indexOf('customer_email')
  expect(lines.map((line) => line[at]).sort()).toEqual(CELLS.map(([, cell]) => cell).sort())
  const json: { customer_email: string }[] = JSON.parse((await runBeside(shop, 'orders', ['--json'])).stdout)
  expect(json.map((row) => row.customer_email).sort()).toEqual(CELLS.map(([value]) => value).sort())
})

test('an order that could not be announced is shown by --failed, and sent again by --resend', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 500
  const shop = await startWithWebhook({
    env: receiver.env,
    pace: { ...IDLE_JOBS, deliverEveryMs: 50, retrySeconds: [0.05] },
  })
  const sales: Click[] = [await click(shop), await click(shop)]
  for (const { session } of sales) await shop.sandbox.pay(session.id)
  const mismatch = await click(shop)
  await shop.sandbox.pay(mismatch.session.id, { amountTotal: 1 })
  const open = await click(shop)
  const states = () => rows(shop, 'announcements').map(({ state }) => state)
  await expect.poll(() => states().sort()).toEqual(['failed', 'failed', 'held'])
  const failed = await runBeside(shop, 'orders', ['--failed', '--json'])
  const list: Record<string, unknown>[] = JSON.parse(failed.stdout)
  expect(list).toMatchObject([
    { checkout_id: mismatch.checkoutId, announcement: 'held', flags: 'amount-mismatch' },
    { checkout_id: sales[1]?.checkoutId, announcement: 'failed', failure: 'status 500' },
    { checkout_id: sales[0]?.checkoutId, announcement: 'failed', failure: 'status 500' },
  ])
  receiver.answer = () => 204
  receiver.received.length = 0
  const id = String(sales[0]?.checkoutId)
  expect(await runBeside(shop, 'orders', ['--resend', id])).toMatchObject({ code: 0, stderr: '' })
  await expect.poll(() => receiver.ids()).toEqual([`order_${id}`])
  await expect.poll(() => states().sort()).toEqual(['delivered', 'failed', 'held'])
  const unpaid = await runBeside(shop, 'orders', ['--resend', open.checkoutId])
  expect(unpaid).toMatchObject({ code: 2, stdout: '' })
  const noReceiver = { FULFILLMENT_URL: '', FULFILLMENT_SECRET: '' }
  expect(await runBeside(shop, 'orders', ['--resend', id], noReceiver)).toMatchObject({
    code: 2,
    stdout: '',
  })
})

test('`npm run orders` ends without an error where its reader closes the pipe', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  await click(shop)
  change(
    shop,
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
     insert into checkouts (id, state, items, amount_total, currency, link, metadata, created_at, updated_at)
     select 'copy-' || i, state, items, amount_total, currency, link, metadata, created_at, updated_at
     from checkouts, n`,
  )
  const run = await runScript('orders', ['--csv'], envOf(shop), { leaveEarly: true })
  expect(run).toMatchObject({ code: 0, stderr: '' })
  expect(run.stdout).toMatch(/^checkout_id,state,/)
  expect(run.stdout.split('\n').length).toBeLessThan(2000)
})

const RECEIVER = { FULFILLMENT_URL: 'https://shop.example/orders', FULFILLMENT_SECRET }

const WRONG = [
  ['--state', 'paid'],
  ['--day', '2026-2-1'],
  ['--day', '2026-02-31'],
  ['--day', 'today'],
  ['--since', 'yesterday'],
  ['--since', '1h', '--day', '2026-02-01'],
  ['--json', '--csv'],
  ['--unknown'],
  ['list'],
  ['--resend'],
]

test('a wrong command line ends with 2 and the usage', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  for (const words of WRONG) {
    const { code, stdout, stderr } = await runBeside(shop, 'orders', words)
    expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: '' })
    expect(stderr).toContain('npm run orders --')
    expect(stderr).not.toMatch(/\n\s+at /)
  }
})

test.each(['', '--json', '--csv', '--failed', '--resend x'])(
  'a missing database is an error that names its path, and is not made: orders %s',
  async (line) => {
    const words = line.split(' ').filter(Boolean)
    const shop = await startService({ env: RECEIVER })
    const path = join(shop.folder, 'nowhere', 'shop.db')
    const { code, stdout, stderr } = await runBeside(shop, 'orders', words, {
      DATABASE_URL: `sqlite:${path}`,
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(path)
    expect(stderr).not.toMatch(/[{}]|\n\s+at /)
    expect(existsSync(dirname(path))).toBe(false)
  },
)

test('an empty store is an empty list', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  expect(JSON.parse((await runBeside(shop, 'orders', ['--json'])).stdout)).toEqual([])
  expect(parseCsv((await runBeside(shop, 'orders', ['--csv'])).stdout)).toHaveLength(1)
  expect((await runBeside(shop, 'orders')).stdout).toContain('0 checkouts')
})
