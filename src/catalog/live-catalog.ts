import { on } from 'node:events'
import { unwatchFile, watchFile } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import type { BaseLogger } from 'pino'

import { Catalog, CatalogError, type CatalogVersion, deepFreeze, readVersion } from './catalog.ts'
import type { WorkerInput } from './catalog-worker.ts'
import type { CatalogProblem } from './problems.ts'
import type { Product } from './product.ts'

export interface LiveCatalogOptions {
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

/**
 * The catalog behind a running service. The file is polled with `stat`, since events of the operating system do not
 * cross a container's bind mounts and get lost when the file is replaced by a rename. Its digest decides whether it
 * has changed.
 */
export class LiveCatalog {
  readonly #path: string
  readonly #log: LiveCatalogOptions['log']
  readonly #now: () => Date
  readonly #recheckMs: number
  #current: Catalog
  #loadedAt: Date
  #digest: string | undefined
  /** The digest of a broken file, or why it cannot be read, and what is wrong. */
  #rejection: { readonly version: string; readonly problems: readonly CatalogProblem[] } | undefined
  #recheck: NodeJS.Timeout | undefined
  #closed = false
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(path: string, options: LiveCatalogOptions, first: Catalog, digest?: string) {
    this.#path = path
    this.#log = options.log
    this.#now = options.now ?? (() => new Date())
    this.#recheckMs = options.recheckMs ?? MTIME_RESOLUTION_MS
    this.#current = first
    this.#digest = digest
    this.#loadedAt = this.#now()
  }

  /**
   * Loads the file and watches it until `close`.
   * @throws CatalogError where the first version cannot be sold from.
   */
  static async open(path: string, options: LiveCatalogOptions): Promise<LiveCatalog> {
    const { digest, catalog, problems = [] } = await readHere(path)
    if (catalog === undefined) throw new CatalogError(problems)
    const live = new LiveCatalog(path, options, catalog, digest)
    // Watching must not keep a process alive that has nothing else to do.
    watchFile(path, { persistent: false, interval: options.pollMs ?? DEFAULT_POLL_MS }, live.#onChange)
    // A change between the first read and the first stat would otherwise go unseen.
    live.#scheduleRecheck()
    return live
  }

  /** A catalog that never changes, for commands. */
  static fixed(catalog: Catalog, log: LiveCatalogOptions['log']): LiveCatalog {
    return new LiveCatalog('', { log }, catalog)
  }

  /** The last valid version. Take it once per request, so that one request sees one catalog. */
  get current(): Catalog {
    return this.#current
  }

  /**
   * `stale`: the file is broken, and the last valid version is still in use; `problems` are the first ones of the file
   * as it is now, `problemCount` is the number of all. `products` and `loadedAt` are of the version in use.
   */
  get status() {
    const state: 'ok' | 'stale' = this.#rejection === undefined ? 'ok' : 'stale'
    return {
      state,
      products: this.#current.size,
      loadedAt: this.#loadedAt,
      problems: this.#rejection?.problems.slice(0, MAX_PROBLEMS_SHOWN),
      problemCount: this.#rejection?.problems.length,
    }
  }

  /** Reads the file now, after any load under way. It does not throw: a broken file is `rejected` and logged. */
  reload(): Promise<'reloaded' | 'unchanged' | 'rejected'> {
    const load = this.#queue.then(() => (this.#closed ? 'unchanged' : this.#load()))
    this.#queue = load
    return load
  }

  /** Stops watching; resolves when a load under way is finished. `current` stays readable. */
  async close(): Promise<void> {
    this.#closed = true
    unwatchFile(this.#path, this.#onChange)
    clearTimeout(this.#recheck)
    await this.#queue
  }

  readonly #onChange = () => {
    void this.reload()
    this.#scheduleRecheck()
  }

  #scheduleRecheck(): void {
    clearTimeout(this.#recheck)
    if (!this.#closed) this.#recheck = setTimeout(() => void this.reload(), this.#recheckMs).unref()
  }

  async #load(): Promise<'reloaded' | 'unchanged' | 'rejected'> {
    const { digest, catalog, problems } = await this.#read()
    if (problems !== undefined) return this.#reject(digest, problems)
    if (digest === this.#rejection?.version) return 'rejected'
    const wasRejected = this.#rejection !== undefined
    this.#rejection = undefined
    if (catalog === undefined) {
      if (wasRejected) {
        const event = 'catalog.restored'
        this.#log.info({ event, path: this.#path }, 'catalog file is the version in use again')
      }
      return 'unchanged'
    }
    this.#current = catalog
    this.#digest = digest
    this.#loadedAt = this.#now()
    const event = 'catalog.reloaded'
    this.#log.info({ event, path: this.#path, products: catalog.size }, 'catalog reloaded')
    return 'reloaded'
  }

  async #read(): Promise<Loaded> {
    const known = [this.#digest, this.#rejection?.version]
    try {
      // A missing file counts as empty here: the read then reports why it failed.
      const size = (await stat(this.#path).catch(() => undefined))?.size ?? 0
      if (size <= MAX_BYTES_ON_MAIN_THREAD) return await readHere(this.#path, known)
      return await readInWorker({ path: this.#path, known })
    } catch (error) {
      return { problems: [{ pointer: '', message: error instanceof Error ? error.message : String(error) }] }
    }
  }

  #reject(digest: string | undefined, problems: readonly CatalogProblem[]): 'rejected' {
    // A file that could not be read may become readable without a change that `stat` shows.
    if (digest === undefined) this.#scheduleRecheck()
    const version = digest ?? `unreadable: ${problems[0]?.message}`
    if (this.#rejection?.version === version) return 'rejected'
    this.#rejection = { version, problems }
    const shown = problems.slice(0, MAX_PROBLEMS_SHOWN)
    this.#log.error(
      { event: 'catalog.rejected', path: this.#path, problemCount: problems.length, problems: shown },
      'catalog not reloaded; the last valid version stays in use',
    )
    return 'rejected'
  }
}

type Loaded = Omit<CatalogVersion, 'products'> & { catalog?: Catalog }

async function readHere(path: string, known: WorkerInput['known'] = []): Promise<Loaded> {
  const { products, ...version } = await readVersion(path, known)
  return { ...version, catalog: products && new Catalog(products) }
}

/** The same without holding up the event loop, however large the file is. */
async function readInWorker(workerData: WorkerInput): Promise<Loaded> {
  const worker = new Worker(new URL('./catalog-worker.ts', import.meta.url), { workerData })
  const all: Product[] = []
  const bySku = new Map<string, Product>()
  for await (const [message] of on(worker, 'message', { close: ['exit'] })) {
    if (!Array.isArray(message)) {
      const { products, ...version }: CatalogVersion = message
      return { ...version, catalog: products && new Catalog(all, bySku) }
    }
    const slice: Product[] = message
    for (const product of slice) {
      all.push(deepFreeze(product))
      bySku.set(product.sku, product)
    }
    await setImmediate()
    worker.postMessage('next')
  }
  throw new Error('the worker that reads the catalog ended early')
}
