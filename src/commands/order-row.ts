import { formatPermalink } from '../links/cart.ts'
import { decimalAmount } from '../pages/money.ts'
import type { Checkout } from '../store/checkout.ts'
import type { ListedCheckout } from '../store/checkout-lookups.ts'

type Cell = string | number | null

/** `amount_total` and `amount_paid` are cents, `amount` the total in the currency's own unit. */
const COLUMNS = {
  checkout_id: ({ id }) => id,
  state: ({ state }) => state,
  created_at: ({ createdAt }) => createdAt,
  completed_at: ({ completedAt }) => completedAt,
  items: ({ items }) => formatPermalink(items),
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

export const COLUMN_NAMES = Object.keys(COLUMNS)

/** One checkout, flat, with its cells in the order of the columns. */
export type OrderRow = Record<string, Cell>

/** A checkout and the state of its announcement, for a list. */
export function orderRow({ checkout, announcement }: ListedCheckout): OrderRow {
  return Object.fromEntries(
    Object.entries(COLUMNS).map(([name, cell]) => [name, cell(checkout, announcement)]),
  )
}

/**
 * One line of CSV (RFC 4180). A cell that a spreadsheet would run as a formula is quoted with an apostrophe
 * (OWASP, "CSV Injection"); numbers are written as they are.
 */
export function csvLine(cells: readonly Cell[]): string {
  return cells.map(csvCell).join(',')
}

function csvCell(value: Cell): string {
  if (typeof value !== 'string') return String(value ?? '')
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** The heading of the table for people. */
export const TABLE_HEADING = tableLine(['made', 'state', 'amount', 'announced', 'checkout', 'items'])

/** One line of the table for people. */
export function tableRow(row: OrderRow): string {
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
