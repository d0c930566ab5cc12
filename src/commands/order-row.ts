import { formatPermalink } from '../links/cart.ts'
import type { Checkout } from '../store/checkout.ts'
import type { AnnouncementStatus } from '../store/outbox.ts'

/** The columns, in their order. */
export const ROW_NAMES = [
  'checkout_id',
  'state',
  'created_at',
  'completed_at',
  'items',
  'amount_total',
  'amount',
  'currency',
  'amount_paid',
  'customer_email',
  'client_reference_id',
  'session_id',
  'payment_intent_id',
  'announcement',
  'flags',
  'failure',
] as const

/** One checkout, flat. `amount_total` and `amount_paid` are cents, `amount` the total in the currency's own unit. */
export type OrderRow = Record<(typeof ROW_NAMES)[number], string | number | null>

/** A checkout and the state of its announcement, for a list. */
export function orderRow(checkout: Checkout, announcement: AnnouncementStatus | undefined): OrderRow {
  return {
    checkout_id: checkout.id,
    state: checkout.state,
    created_at: checkout.createdAt,
    completed_at: checkout.completedAt,
    items: formatPermalink(checkout.items),
    amount_total: checkout.amountTotal,
    amount: (checkout.amountTotal / 100).toFixed(2),
    currency: checkout.currency,
    amount_paid: checkout.amountPaid,
    customer_email: checkout.customerEmail,
    client_reference_id: checkout.clientReferenceId,
    session_id: checkout.sessionId,
    payment_intent_id: checkout.paymentIntentId,
    announcement: announcement?.state ?? null,
    flags: checkout.flags.join(' '),
    failure: announcement?.lastError ?? checkout.failure,
  }
}

/**
 * One line of CSV (RFC 4180). A cell that a spreadsheet would run as a formula is quoted with an apostrophe
 * (OWASP, "CSV Injection"); numbers are written as they are.
 */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return cells.map(csvCell).join(',')
}

function csvCell(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** One line of a table for people; without a row, the heading. */
export function tableLine(row?: OrderRow): string {
  const cells =
    row === undefined
      ? ['made', 'state', 'amount', 'announced', 'checkout', 'items']
      : [
          String(row.created_at).slice(0, 16).replace('T', ' '),
          row.state,
          `${row.amount} ${row.currency}`,
          [row.announcement, row.flags].filter(Boolean).join(' ') || '-',
          row.checkout_id,
          row.items,
        ]
  const widths = [16, 8, 14, 10, 36, 0]
  return cells
    .map((cell, index) => String(cell ?? '').padEnd(widths[index] ?? 0))
    .join('  ')
    .trimEnd()
}
