import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

import { CatalogError } from './catalog-error.ts'

/** The text of a catalog file, and a digest by which two versions of it can be told apart. */
export interface CatalogFile {
  readonly bytes: Buffer
  readonly digest: string
}

/**
 * Reads the whole file, chunk by chunk, so that a large one does not hold up the event loop.
 * @throws CatalogError that says what to do where the file cannot be read.
 */
export async function readCatalogFile(path: string): Promise<CatalogFile> {
  const hash = createHash('sha256')
  const chunks: Buffer[] = []
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk)
      chunks.push(chunk)
    }
  } catch (cause) {
    throw new CatalogError([{ pointer: '', message: describeReadError(path, cause) }], { cause })
  }
  return { bytes: Buffer.concat(chunks), digest: hash.digest('base64') }
}

function describeReadError(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ENOENT':
      return `there is no file ${path}: create it, or set CATALOG_PATH to where the catalog is`
    case 'EACCES':
    case 'EPERM':
      return `${path} may not be read by the user that runs this: give that user read permission`
    case 'EISDIR':
      return `${path} is a directory: name the file itself (a container makes an empty directory where the mounted file is missing)`
    case 'ENOTDIR':
      return `${path} leads through something that is no directory: correct the path`
    default:
      return `${path} cannot be read${typeof code === 'string' ? ` (${code})` : ''}: check the path and the disk`
  }
}

/**
 * The bytes as text: UTF-8, with or without a byte order mark.
 * @throws CatalogError where they are another encoding.
 */
export function decodeCatalog(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
    const found = isUtf16 ? 'the file is saved as UTF-16' : 'the file holds bytes that are not UTF-8'
    throw new CatalogError([{ pointer: '', message: `${found}: save it again as UTF-8` }], { cause })
  }
}
