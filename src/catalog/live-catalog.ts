import { once } from 'node:events'
import { unwatchFile, watchFile } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

import type { BaseLogger } from 'pino'

import { type Catalog, type CatalogVersion, describeWhole, readVersion } from './catalog.ts'
import { CatalogError, type CatalogProblem, describeReadError } from './problems.ts'

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

// What is wrong with a smaller file is found in a few milliseconds, less than a worker takes to start.
const MAX_BYTES_ON_MAIN_THREAD = 1024 * 1024

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
    const { digest, catalog, problems } = await read(path, [inUse.digest, rejection?.version])
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

async function read(path: string, known: readonly (string | undefined)[]): Promise<CatalogVersion> {
  try {
    const { size } = await stat(path)
    return await readVersion(path, known, size <= MAX_BYTES_ON_MAIN_THREAD ? describeWhole : describeInWorker)
  } catch (error) {
    return { problems: [{ pointer: '', message: describeReadError(path, error) }] }
  }
}

/** `describeWhole` without holding up the event loop. */
async function describeInWorker(path: string): Promise<readonly CatalogProblem[]> {
  // Beside this source, or beside the bundle.
  const file = new URL(`./catalog-worker${extname(import.meta.url)}`, import.meta.url)
  const worker = new Worker(file, { workerData: path })
  const [problems] = await once(worker, 'message')
  return problems
}
