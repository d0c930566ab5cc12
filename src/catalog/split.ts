import { isUtf8 } from 'node:buffer'

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
/** Of a product: in the list, which is in the object that the file is. */
const PRODUCT_DEPTH = 2
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
 * @throws NotPlain, at the latest in the end, and the errors of `chunks`.
 */
export async function* productTexts(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  /** The file with `{}` in the place of each product, byte by byte: it is decoded in the end. */
  let frame = ''
  let count = 0
  let depth = 0
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk])
    const texts: string[] = []
    let start = 0
    let at = 0
    while (at < rest.length) {
      const isProduct = rest[at] === OPEN_BRACE && depth === PRODUCT_DEPTH
      const end = isProduct ? endOfObject(rest, at) : endOfToken(rest, at)
      if (end === undefined) break
      if (isProduct) {
        texts.push(textOf(rest.subarray(at, end)))
        frame += `${rest.toString('latin1', start, at)}{}`
        start = end
      } else {
        depth += depthChange(rest[at])
      }
      at = end
    }
    frame += rest.toString('latin1', start, at)
    rest = rest.subarray(at)
    if (rest.length > MAX_PART_BYTES) throw new NotPlain()
    count += texts.length
    yield texts
  }
  if (rest.length > 0 || !isFrame(textOf(Buffer.from(frame, 'latin1')), count)) throw new NotPlain()
}

/** Whether a text is an object with nothing but `$schema` and the list of all `count` products, which are empty in it. */
function isFrame(text: string, count: number): boolean {
  try {
    const { products, $schema = '', ...others } = JSON.parse(text.replace(/^\ufeff/, ''))
    const isList = Array.isArray(products) && products.length === count && count > 0
    const isOfObjects = isList && products.every((entry) => JSON.stringify(entry) === '{}')
    return isOfObjects && typeof $schema === 'string' && Object.keys(others).length === 0
  } catch {
    return false
  }
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new NotPlain()
  return bytes.toString('utf8')
}

/** The position behind the object that starts at `start`; undefined where it is not complete. */
function endOfObject(bytes: Buffer, start: number): number | undefined {
  let depth = 0
  let at = start
  while (at < bytes.length) {
    depth += depthChange(bytes[at])
    const end = endOfToken(bytes, at)
    if (depth === 0 || end === undefined) return end
    at = end
  }
  return undefined
}

function depthChange(byte: number | undefined): number {
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return 1
  return byte === CLOSE_BRACE || byte === CLOSE_BRACKET ? -1 : 0
}

/** The position behind the text in quotes, or the other byte, that is at `start`; undefined where a text is not closed. */
function endOfToken(bytes: Buffer, start: number): number | undefined {
  if (bytes[start] !== QUOTE) return start + 1
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
