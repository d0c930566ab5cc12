/** A file that is no text in UTF-8. The message says what is wrong and what to do; it is the end of a sentence. */
export class NotUtf8 extends Error {
  override readonly name = 'NotUtf8'
}

/** The text of a file, without a byte order mark. @throws NotUtf8 */
export function decodeUtf8(bytes: Buffer): string {
  if (['fffe', 'feff'].includes(bytes.toString('hex', 0, 2))) {
    throw new NotUtf8('is saved as UTF-16: save it again as UTF-8')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new NotUtf8('holds bytes that are not UTF-8: save it again as UTF-8', { cause })
  }
}
