import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'

import { readVersion } from './catalog.ts'

/** What the worker is started with. */
export interface WorkerInput {
  path: string
  /** Digests of versions that need no checking. */
  known: readonly (string | undefined)[]
}

// The main thread takes one slice over in a millisecond or two, and serves requests between two of them.
const PRODUCTS_PER_SLICE = 500

// Hands over the products, a slice for each message that asks for the next one, and then the rest of what was found.
if (parentPort !== null) {
  const { path, known }: WorkerInput = workerData
  const { catalog, ...version } = await readVersion(path, known)
  const { products = [] } = catalog ?? {}
  for (let start = 0; start < products.length; start += PRODUCTS_PER_SLICE) {
    parentPort.postMessage(products.slice(start, start + PRODUCTS_PER_SLICE))
    // The next slice is prepared while the main thread takes this one over.
    if (start > 0) await once(parentPort, 'message')
  }
  parentPort.postMessage({ ...version, isValid: catalog !== undefined })
}
