import { isUtf8 } from 'node:buffer'

const LIST_KEY = '"products"'
const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
/** JSON's own white space (RFC 8259, section 2). */
const BLANKS: readonly (number | undefined)[] = [0x20, 0x09, 0x0a, 0x0d]
/** Bounds the memory. A product has some hundred bytes; a larger one is probably a quote that is not closed. */
const MAX_PART_BYTES = 1024 * 1024

/** The file is not laid out as expected, so it has to be read as a whole. The cause: an entry that is not JSON. */
export class NotPlain extends Error {
  override readonly name = 'NotPlain'
}

/**
 * The text of each product of a catalog file, so that never all of them have to be in memory as JSON. If each text is
 * valid JSON, the file is, once this has ended without an error.
 *
 * @throws NotPlain, and the errors of `chunks`.
 */
export async function* productTexts(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let rest = Buffer.alloc(0)
  let head: string | undefined
  let expected: Expected = 'entry'
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk])
    const start = head === undefined ? startOfList(rest) : 0
    if (start !== undefined) {
      head ??= textOf(rest.subarray(0, start)).replace(/^\ufeff/, '')
      const found = readEntries(rest.subarray(start), expected)
      expected = found.expected
      rest = rest.subarray(start + found.length)
      yield found.texts
    }
    if (rest.length > MAX_PART_BYTES) throw new NotPlain()
  }
  if (head === undefined || expected !== 'nothing') throw new NotPlain()
  checkFrame(head, textOf(rest))
}

/** What comes next in the list; nothing: it has ended. */
type Expected = 'entry' | 'comma' | 'nothing'

/** The entries that are complete, and the length of what was read. */
function readEntries(
  bytes: Buffer,
  expected: Expected,
): { texts: string[]; expected: Expected; length: number } {
  const texts: string[] = []
  let next = expected
  let at = skipBlanks(bytes, 0)
  while (at < bytes.length && next !== 'nothing') {
    const byte = bytes[at]
    if (next === 'entry') {
      if (byte !== OPEN_BRACE) throw new NotPlain()
      const end = endOfObject(bytes, at)
      if (end === undefined) break
      texts.push(textOf(bytes.subarray(at, end)))
      next = 'comma'
      at = end
    } else if (byte === COMMA) {
      next = 'entry'
      at += 1
    } else if (byte === CLOSE_BRACKET) {
      next = 'nothing'
    } else {
      throw new NotPlain()
    }
    at = skipBlanks(bytes, at)
  }
  return { texts, expected: next, length: at }
}

/** `head` and `tail` of the file have to be an object of which the list in between is the only `products`. */
function checkFrame(head: string, tail: string): void {
  try {
    const { products, $schema = '', ...others } = JSON.parse(head + tail)
    const after = JSON.parse(`{"list":[${tail}`)
    const isList = Array.isArray(products) && products.length === 0 && !Object.hasOwn(after, 'products')
    if (isList && typeof $schema === 'string' && Object.keys(others).length === 0) return
  } catch {}
  throw new NotPlain()
}

/** The position behind `"products": [`. */
function startOfList(bytes: Buffer): number | undefined {
  const key = bytes.indexOf(LIST_KEY)
  if (key < 0) return undefined
  const colon = skipBlanks(bytes, key + LIST_KEY.length)
  const open = skipBlanks(bytes, colon + 1)
  if (open >= bytes.length) return undefined
  if (bytes[colon] !== COLON || bytes[open] !== OPEN_BRACKET) throw new NotPlain()
  return open + 1
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new NotPlain()
  return bytes.toString('utf8')
}

/** The position behind the object that starts at `start`; undefined where it is not complete. */
function endOfObject(bytes: Buffer, start: number): number | undefined {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) at = endOfText(bytes, at)
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1
    if (depth === 0) return at + 1
  }
  return undefined
}

/** The position of the quote that closes the text which starts at `start`, or the end of the bytes. */
function endOfText(bytes: Buffer, start: number): number {
  let at = start
  for (;;) {
    at = bytes.indexOf(QUOTE, at + 1)
    if (at < 0) return bytes.length
    let before = at - 1
    while (bytes[before] === BACKSLASH) before -= 1
    // An even number of backslashes: they escape one another, and not the quote.
    if ((at - before) % 2 === 1) return at
  }
}

function skipBlanks(bytes: Buffer, start: number): number {
  let at = start
  while (BLANKS.includes(bytes[at])) at += 1
  return at
}
