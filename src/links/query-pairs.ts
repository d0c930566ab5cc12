/** One `name=value` of a query or a form, decoded. */
export interface QueryPair {
  readonly name: string
  readonly value: string
}

/**
 * No honest link comes near this many; it bounds the work that one request can ask for. What follows is not read,
 * so for a signed link it is as if it were not there.
 */
export const MAX_PAIRS = 256

/**
 * Splits query and urlencoded body into pairs, the query's first, `MAX_PAIRS` at the most. Bad percent escapes stay as
 * they are, bytes that are no UTF-8 become U+FFFD. Never throws. Source: WHATWG URL, application/x-www-form-urlencoded.
 */
export function splitPairs(rawQuery: string, body = ''): QueryPair[] {
  const query = split(rawQuery.replace(/^\?/, ''), MAX_PAIRS)
  return [...query, ...split(body, MAX_PAIRS - query.length)]
}

function split(text: string, limit: number): QueryPair[] {
  if (text === '') return []
  const pairs: QueryPair[] = []
  for (const piece of text.split('&', limit)) {
    for (const [name, value] of new URLSearchParams(piece)) pairs.push({ name, value })
  }
  return pairs
}
