import type {} from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** A row of the fault matrix, which the reporter prints at the end. */
    triedFault?: TriedFault
  }
}

/** Everything that may go wrong, by a short name, and what it is. A test fails where one of them is untried. */
export const FAULTS = {
  unreachable: 'Dots cannot be reached: refused, no such name, no connection in time',
  untrusted: "Dots' certificate is rejected",
  late: 'Dots answers late, or breaks off',
  refused: 'Dots refuses the request (400, 422)',
  credentials: 'Dots refuses our credentials (401, 403 with JSON)',
  firewall: 'a firewall in front of Dots refuses (403 without JSON)',
  'wrong-url': 'DOTS_API_URL is wrong (404, 405)',
  conflict: 'Dots says that the resource is busy (409)',
  'asked-to-wait': 'Dots asks for a pause (429 or 503 with Retry-After)',
  failing: 'Dots fails (429, 5xx)',
  nonsense: 'Dots answers with something else than a session',
  'unsafe-url': 'Dots names a URL where no buyer may be sent',
  'breaker-open': 'too many calls have failed: the circuit breaker is open',
  'store-at-click': 'the store fails at a click',
  'store-at-webhook': 'the store fails at a webhook',
  redis: 'Redis is gone',
  'stop-under-load': 'SIGTERM or SIGINT under load',
  killed: 'SIGKILL in a call to Dots',
  'webhook-forged': 'a webhook is forged, stale or unsigned',
  'webhook-doubled': 'a webhook comes twice',
  'webhook-order': 'webhooks come out of order',
  'webhook-unknown': 'a webhook names an unknown session',
  'amount-differs': 'another amount was paid than asked',
  'catalog-at-start': 'the catalog is broken at the start',
  'catalog-at-reload': 'the catalog is broken at a reload',
  crowd: 'many clicks on one product at once',
  'double-click': 'one browser clicks twice',
  'hostile-clients': 'slow senders, header bombs, endless URLs, huge bodies',
  'forged-client-ip': 'X-Forwarded-For is forged',
  'hostile-text': 'HTML, line breaks and formulas in catalog and query',
  'cookie-tampered': 'the cookie is tampered with',
} as const
export type Fault = keyof typeof FAULTS

/** Faults that other tests bring about, and where. */
export const TRIED_ELSEWHERE: Partial<Record<Fault, string>> = { killed: 'test/orders/killed.test.ts' }

/** What came of it, in a few words for the table. The checks themselves are in `run`. */
export interface Outcome {
  buyer: string
  store: string
}

/** One way to bring a fault about, for real. */
export interface FaultCase {
  fault: Fault
  injected: string
  run: () => Promise<Outcome>
}

interface TriedFault extends Outcome {
  fault: Fault
  injected: string
}

const WIDTHS = { fault: 40, injected: 44, buyer: 44, store: 44 }

/** The whole matrix as one table of plain text, a row for each try, and one for each fault that is untried. */
export function printMatrix(tried: readonly TriedFault[]): string {
  const rows = Object.entries(FAULTS).flatMap(([fault, what]) => {
    const tries = tried.filter((one) => one.fault === fault)
    if (tries.length === 0) return [[what, elsewhere(fault) ?? 'NOT TRIED', '', '']]
    return tries.map(({ injected, buyer, store }, index) => [index === 0 ? what : '', injected, buyer, store])
  })
  const line = Object.values(WIDTHS).map((width) => '-'.repeat(width))
  const head = ['fault', 'injected', 'the buyer got', 'the store holds']
  const cells = [head, line, ...rows].flatMap((row) => [...wrapped(row)])
  return cells.map((row) => row.join(' | ').trimEnd()).join('\n')
}

function elsewhere(fault: string): string | undefined {
  return Object.entries(TRIED_ELSEWHERE).find(([name]) => name === fault)?.[1]
}

/** A row of the table as one or more lines. */
function* wrapped(row: readonly string[]): Generator<string[]> {
  const widths = Object.values(WIDTHS)
  const columns = row.map((text, index) => broken(text, widths[index] ?? 0))
  const height = Math.max(...columns.map(({ length }) => length))
  for (let line = 0; line < height; line++)
    yield columns.map((lines, index) => (lines[line] ?? '').padEnd(widths[index] ?? 0))
}

function broken(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last === '') lines[lines.length - 1] = word
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
