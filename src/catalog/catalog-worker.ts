import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'

import { readVersion } from './catalog.ts'

/** What the worker is started with. */
export interface WorkerInput {
  path: string
  /** Digests of versions that need no checking. */
  known: readonly (string | undefined)[]
}

// The main thread receives one slice in a millisecond or two, and serves requests between two slices.
const PRODUCTS_PER_SLICE = 500

// Sends the products in slices, the next one when the main thread asks for it, and last the digest and the problems.
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
