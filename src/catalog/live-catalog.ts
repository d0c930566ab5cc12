import { on } from 'node:events'
import { unwatchFile, watchFile } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { Worker } from 'node:worker_threads'

import type { BaseLogger } from 'pino'

import { Catalog, type CatalogVersion, deepFreeze, readVersion } from './catalog.ts'
import type { WorkerInput } from './catalog-worker.ts'
import { CatalogError, type CatalogProblem, describeReadError } from './problems.ts'
import type { Product } from './product.ts'

interface LiveCatalogOptions {
  readonly log: Pick<BaseLogger, 'info' | 'error'>
  /** Milliseconds between two checks whether the file has changed. */
  readonly pollMs?: number
  /** Milliseconds after which a changed or unreadable file is read once more. */
  readonly recheckMs?: number
  readonly now?: () => Date
}

// A log line or a status page stays readable; `npm run check-catalog` prints them all.
const MAX_PROBLEMS_SHOWN = 20

// A merchant who saves the file expects to see it soon; one stat a second costs nothing.
const DEFAULT_POLL_MS = 1000

// Two writes within one tick of the file system's clock can carry the same time: two seconds at the coarsest.
const MTIME_RESOLUTION_MS = 2000

// What is smaller is parsed and checked in a few milliseconds, less than a worker takes to start.
const MAX_BYTES_ON_MAIN_THREAD = 1024 * 1024

// The worker forgets each product once it is sent: with more room it would only collect its garbage later.
const WORKER_YOUNG_GENERATION_MB = 4

type Outcome = 'reloaded' | 'unchanged' | 'rejected'

export type LiveCatalog = ReturnType<typeof liveCatalog>

/**
 * Loads the file and watches it until `close`.
 * @throws CatalogError if the first version is invalid.
 */
export async function openCatalog(path: string, options: LiveCatalogOptions): Promise<LiveCatalog> {
  const { digest, catalog, problems = [] } = await readVersion(path)
  if (catalog === undefined) throw new CatalogError(problems)
  const live = liveCatalog(path, options, catalog, digest)
  live.watch(options.pollMs)
  return live
}

/** A catalog that never changes, for commands. */
export function fixedCatalog(catalog: Catalog, log: LiveCatalogOptions['log']): LiveCatalog {
  return liveCatalog('', { log }, catalog)
}

/** The catalog behind a running service. The digest of the file decides whether it has changed. */
function liveCatalog(
  path: string,
  { log, recheckMs = MTIME_RESOLUTION_MS, now = () => new Date() }: LiveCatalogOptions,
  first: Catalog,
  firstDigest?: string,
) {
  let inUse = { catalog: first, digest: firstDigest, loadedAt: now() }
  /** The digest of a broken file, or why it cannot be read, and what is wrong. */
  let rejection: { version: string; problems: readonly CatalogProblem[] } | undefined
  let recheck: NodeJS.Timeout | undefined
  let isClosed = false
  let queue: Promise<unknown> = Promise.resolve()

  /** Reads the file now, or when the current load has ended. It does not throw: a broken file is `rejected` and logged. */
  function reload(): Promise<Outcome> {
    const load = queue.then(() => (isClosed ? 'unchanged' : loadNow()))
    queue = load
    return load
  }

  async function loadNow(): Promise<Outcome> {
    const { digest, catalog, problems } = await read(path, [inUse.digest, rejection?.version], inUse.catalog)
    if (problems !== undefined) return reject(digest, problems)
    if (digest === rejection?.version) return 'rejected'
    if (catalog !== undefined) {
      inUse = { catalog, digest, loadedAt: now() }
      log.info({ event: 'catalog.reloaded', path, products: catalog.size }, 'catalog reloaded')
    } else if (rejection !== undefined) {
      log.info({ event: 'catalog.restored', path }, 'catalog file is the version in use again')
    }
    rejection = undefined
    return catalog === undefined ? 'unchanged' : 'reloaded'
  }

  function reject(digest: string | undefined, problems: readonly CatalogProblem[]): Outcome {
    // A file that could not be read may become readable without a change that `stat` shows.
    if (digest === undefined) scheduleRecheck()
    const version = digest ?? `unreadable: ${problems[0]?.message}`
    if (rejection?.version !== version) {
      rejection = { version, problems }
      const details = { problemCount: problems.length, problems: problems.slice(0, MAX_PROBLEMS_SHOWN) }
      const message = 'catalog not reloaded; the last valid version stays in use'
      log.error({ event: 'catalog.rejected', path, ...details }, message)
    }
    return 'rejected'
  }

  function scheduleRecheck() {
    clearTimeout(recheck)
    if (!isClosed) recheck = setTimeout(() => void reload(), recheckMs).unref()
  }

  function onChange() {
    void reload()
    scheduleRecheck()
  }

  return {
    /** The last valid version. Take it once per request, so that one request sees one catalog. */
    get current(): Catalog {
      return inUse.catalog
    },

    /**
     * `stale`: the file is broken, and the last valid version is still in use; `problems` are the first ones of the
     * file as it is now, `problemCount` is the number of all. `products` and `loadedAt` are of the version in use.
     */
    get status() {
      const state: 'ok' | 'stale' = rejection === undefined ? 'ok' : 'stale'
      return {
        state,
        products: inUse.catalog.size,
        loadedAt: inUse.loadedAt,
        problems: rejection?.problems.slice(0, MAX_PROBLEMS_SHOWN),
        problemCount: rejection?.problems.length,
      }
    },

    reload,

    /**
     * Polls the file with `stat`, since events of the operating system do not cross a container's bind mounts and get
     * lost when the file is replaced by a rename. Keeps no process alive.
     */
    watch(pollMs = DEFAULT_POLL_MS): void {
      watchFile(path, { persistent: false, interval: pollMs }, onChange)
      // A change between the first read and the first stat would otherwise go unseen.
      scheduleRecheck()
    },

    /** Stops watching; resolves when a load under way is finished. `current` stays readable. */
    async close(): Promise<void> {
      isClosed = true
      unwatchFile(path, onChange)
      clearTimeout(recheck)
      await queue
    },
  }
}

async function read(path: string, known: WorkerInput['known'], inUse: Catalog): Promise<CatalogVersion> {
  try {
    const { size } = await stat(path)
    if (size <= MAX_BYTES_ON_MAIN_THREAD) return await readVersion(path, known)
    return await readInWorker({ path, known }, inUse)
  } catch (error) {
    return { problems: [{ pointer: '', message: describeReadError(path, error) }] }
  }
}

/**
 * `readVersion` without holding up the event loop, however large the file is. What is equal in the catalog in use is taken
 * from there, so that two versions need little more memory than one.
 */
async function readInWorker(workerData: WorkerInput, inUse: Catalog): Promise<CatalogVersion> {
  const worker = new Worker(new URL('./catalog-worker.ts', import.meta.url), {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: WORKER_YOUNG_GENERATION_MB },
  })
  const products: Product[] = []
  const bySku = new Map<string, Product>()
  let hasSlice = false
  for await (const [message] of on(worker, 'message', { close: ['exit'] })) {
    if (!Array.isArray(message)) {
      const version: CatalogVersion = message
      const isNew = hasSlice && version.problems === undefined
      return isNew ? { ...version, catalog: new Catalog(products, bySku) } : version
    }
    hasSlice = true
    const slice: Product[] = message
    for (const read of slice) {
      const known = inUse.find(read.sku)
      const product = known !== undefined && isDeepStrictEqual(known, read) ? known : deepFreeze(read)
      products.push(product)
      bySku.set(product.sku, product)
    }
    await setImmediate()
    worker.postMessage('next')
  }
  throw new Error('the worker that reads the catalog ended early')
}
