import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'

import { takeVersion } from './catalog.ts'

/** What the worker is started with. */
export interface WorkerInput {
  path: string
  /** Digests of versions that need no checking. */
  known: readonly (string | undefined)[]
}

// The main thread receives one slice in a millisecond or two, and serves requests between two slices.
const PRODUCTS_PER_SLICE = 500

// Sends the products in slices, the next one when the main thread asks for it, and last the digest and the problems:
// no slice at all for a version that is known.
if (parentPort !== null) {
  const port = parentPort
  const { path, known }: WorkerInput = workerData
  let isFirst = true
  const version = await takeVersion(path, known, async (products) => {
    for (let start = 0; start === 0 || start < products.length; start += PRODUCTS_PER_SLICE) {
      // The next slice was prepared while the main thread took this one over.
      if (!isFirst) await once(port, 'message')
      isFirst = false
      port.postMessage(products.slice(start, start + PRODUCTS_PER_SLICE))
    }
  })
  port.postMessage(version)
}
