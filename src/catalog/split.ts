import { isUtf8 } from 'node:buffer'

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [COLON, POINT, UPPER_E, LOWER_E] = [0x3a, 0x2e, 0x45, 0x65]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
/** An escape; DEL; the first byte of the control characters from U+0080 on, and of some others. */
const ODD_BYTES = [BACKSLASH, 0x7f, 0xc2]
const ODD_TEXT = /[\\\x7f-\x9f]/
/** Of a product: in the list, which is in the object that the file is. */
const PRODUCT_DEPTH = 2
/** Bounds the memory. A product has some hundred bytes; a larger one is probably a quote that is not closed. */
const MAX_PART_BYTES = 1024 * 1024

/** The file is not laid out as expected, so it has to be read as a whole. The cause: an entry that is not JSON. */
export class NotPlain extends Error {
  override readonly name = 'NotPlain'
}

/** A product as it is written in the file. */
export interface EntryText {
  text: string
  /** How many bytes of the file are before it. */
  offset: number
  /** How many keys are written in it, at all depths. */
  keyCount: number
  /** It may have numbers with a point or an exponent, or characters that no text has. Most products have none. */
  isUnusual: boolean
}

/**
 * The text of each product of a catalog file, so that never all of them have to be in memory as JSON. If each text is
 * valid JSON, the file is, once this has ended without an error.
 *
 * @throws NotPlain, at the latest in the end, and the errors of `chunks`.
 */
export async function* productTexts(chunks: AsyncIterable<Buffer>): AsyncGenerator<EntryText[]> {
  /** The file with `{}` in the place of each product, byte by byte: it is decoded in the end. */
  let frame = ''
  let count = 0
  let depth = 0
  let offset = 0
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk])
    const mayHaveOddText = ODD_BYTES.some((byte) => rest.includes(byte))
    const entries: EntryText[] = []
    let start = 0
    let at = 0
    while (at < rest.length) {
      if (rest[at] === OPEN_BRACE && depth === PRODUCT_DEPTH) {
        const found = scanObject(rest, at)
        if (found === undefined) break
        const text = textOf(rest.subarray(at, found.end))
        const isUnusual = found.hasDecimal || (mayHaveOddText && ODD_TEXT.test(text))
        entries.push({ text, offset: offset + at, keyCount: found.keyCount, isUnusual })
        frame += `${rest.toString('latin1', start, at)}{}`
        start = found.end
        at = found.end
      } else {
        const end = rest[at] === QUOTE ? endOfText(rest, at) : at + 1
        if (end === undefined) break
        depth += depthChange(rest[at])
        at = end
      }
    }
    frame += rest.toString('latin1', start, at)
    rest = rest.subarray(at)
    offset += at
    if (rest.length > MAX_PART_BYTES) throw new NotPlain()
    count += entries.length
    yield entries
  }
  if (rest.length > 0 || !isFrame(textOf(Buffer.from(frame, 'latin1')), count)) throw new NotPlain()
}

/** Whether a text is an object with nothing but `$schema` and the list of all `count` products, which are empty in it. */
function isFrame(text: string, count: number): boolean {
  const [, schema, list = ''] = FRAME.exec(text) ?? []
  const isText = schema === undefined || isJson(schema)
  return isText && count > 0 && list.replace(/[ \t\r\n]+/g, '') === Array(count).fill('{}').join()
}

/** `{ "$schema": "…", "products": [ … ] }`, the first of which may be missing. */
const FRAME =
  /^\ufeff?\s*\{\s*(?:"\$schema"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*)?"products"\s*:\s*\[([{},\s]*)\]\s*\}\s*$/

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new NotPlain()
  return bytes.toString('utf8')
}

/** The end of the object that starts at `start`, and what is written outside of its texts; undefined where it is not complete. */
function scanObject(
  bytes: Buffer,
  start: number,
): { end: number; keyCount: number; hasDecimal: boolean } | undefined {
  let depth = 0
  let keyCount = 0
  let hasDecimal = false
  let at = start
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      const end = endOfText(bytes, at)
      if (end === undefined) return undefined
      at = end
      continue
    }
    at += 1
    if (byte === COLON) keyCount += 1
    else if (byte === POINT || byte === UPPER_E || (byte === LOWER_E && isDigit(bytes[at - 2])))
      hasDecimal = true
    else if (byte !== undefined && byte > UPPER_E) depth += depthChange(byte)
    if (depth === 0) return { end: at, keyCount, hasDecimal }
  }
  return undefined
}

function isDigit(byte = 0): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function depthChange(byte: number | undefined): number {
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return 1
  return byte === CLOSE_BRACE || byte === CLOSE_BRACKET ? -1 : 0
}

/** The position behind the text in quotes that starts at `start`; undefined where it is not closed. */
function endOfText(bytes: Buffer, start: number): number | undefined {
  let at = start
  for (;;) {
    at = bytes.indexOf(QUOTE, at + 1)
    if (at < 0) return undefined
    let before = at - 1
    while (bytes[before] === BACKSLASH) before -= 1
    // An even number of backslashes: they escape one another, and not the quote.
    if ((at - before) % 2 === 1) return at + 1
  }
}
