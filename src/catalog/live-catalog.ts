import { stat } from 'node:fs/promises'

import type { Log } from '../log.ts'
import { type Catalog, CatalogError, type CatalogProblem, parseCatalog } from './catalog.ts'
import { decodeCatalog, readCatalogFile } from './catalog-file.ts'

export interface LiveCatalogOptions {
  readonly log: Pick<Log, 'info' | 'error'>
  /** Pause between two looks at the file, in milliseconds. */
  readonly pollMilliseconds?: number
  readonly now?: () => Date
}

export interface CatalogStatus {
  /** `stale`: the file is broken, and the last good version is still the one that sells. */
  readonly state: 'ok' | 'stale'
  /** How many products the version in use has. */
  readonly products: number
  /** When the version in use was loaded. */
  readonly loadedAt: Date
  /** While stale: the first problems of the file as it is now. */
  readonly problems?: readonly CatalogProblem[]
  /** While stale: how many problems there are in all. */
  readonly problemCount?: number
}

export type ReloadOutcome = 'reloaded' | 'unchanged' | 'rejected'

// A log line or a status page stays readable; `npm run check-catalog` prints them all.
const PROBLEMS_SHOWN = 20

// A merchant who saves the file expects to see it soon; one stat a second costs nothing.
const DEFAULT_POLL_MILLISECONDS = 1000

// Two writes within one tick of the file's clock (two seconds at the coarsest) can carry the same time: once
// a change was seen, the content itself is compared until that long has passed.
const SETTLE_MILLISECONDS = 2000

interface Rejection {
  readonly version: string
  readonly problems: readonly CatalogProblem[]
}

/**
 * The catalog behind a running service. It looks at the file again and again rather than asking the system for
 * events: those do not cross a container's bind mounts, and get lost when the file is replaced by a rename.
 */
export class LiveCatalog {
  readonly #path: string
  readonly #log: LiveCatalogOptions['log']
  readonly #now: () => Date
  readonly #settlePolls: number
  readonly #timer: NodeJS.Timeout
  #current: Catalog
  #loadedAt: Date
  #digest: string
  #rejection: Rejection | undefined
  #fingerprint: string
  #readsAhead: number
  #polling = false
  #closed = false
  #lastTurn: Promise<unknown> = Promise.resolve()

  private constructor(path: string, options: LiveCatalogOptions, first: Loaded, fingerprint: string) {
    const pollMilliseconds = options.pollMilliseconds ?? DEFAULT_POLL_MILLISECONDS
    this.#path = path
    this.#log = options.log
    this.#now = options.now ?? (() => new Date())
    this.#settlePolls = Math.ceil(SETTLE_MILLISECONDS / pollMilliseconds)
    this.#current = first.catalog
    this.#digest = first.digest
    this.#loadedAt = this.#now()
    this.#fingerprint = fingerprint
    this.#readsAhead = this.#settlePolls
    // Watching must not keep a process alive that has nothing else to do.
    this.#timer = setInterval(() => void this.#poll(), pollMilliseconds).unref()
  }

  /**
   * Loads the file and keeps looking at it until `close`.
   * @throws CatalogError where the first version cannot be sold from.
   */
  static async open(path: string, options: LiveCatalogOptions): Promise<LiveCatalog> {
    // The stat comes first: a change between the two is then seen at the next look.
    const fingerprint = await fingerprintOf(path)
    const first = await load(path)
    return new LiveCatalog(path, options, first, fingerprint)
  }

  /** The last good version. Take it once per request, so that one request sees one catalog. */
  get current(): Catalog {
    return this.#current
  }

  get status(): CatalogStatus {
    const inUse = { products: this.#current.size, loadedAt: this.#loadedAt }
    if (this.#rejection === undefined) return { state: 'ok', ...inUse }
    const { problems } = this.#rejection
    return {
      state: 'stale',
      ...inUse,
      problems: problems.slice(0, PROBLEMS_SHOWN),
      problemCount: problems.length,
    }
  }

  /** Reads the file now, after any load under way. It does not throw: a broken file is `rejected` and logged. */
  reload(): Promise<ReloadOutcome> {
    const turn = this.#lastTurn.then(() => (this.#closed ? 'unchanged' : this.#load()))
    this.#lastTurn = turn
    return turn
  }

  /** Stops looking at the file; resolves when a load under way is through. `current` stays readable. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#lastTurn
  }

  async #poll(): Promise<void> {
    if (this.#polling) return
    this.#polling = true
    try {
      const fingerprint = await fingerprintOf(this.#path)
      const isChanged = fingerprint !== this.#fingerprint
      if (isChanged) this.#readsAhead = this.#settlePolls
      else if (this.#readsAhead > 0) this.#readsAhead -= 1
      else if (this.#rejection === undefined) return
      this.#fingerprint = fingerprint
      await this.reload()
    } finally {
      this.#polling = false
    }
  }

  async #load(): Promise<ReloadOutcome> {
    let version = 'unreadable'
    try {
      const file = await readCatalogFile(this.#path)
      version = file.digest
      if (version === this.#digest) return this.#keep()
      if (version === this.#rejection?.version) return 'rejected'
      this.#current = await parseCatalog(decodeCatalog(file.bytes))
    } catch (error) {
      return this.#reject(version, error)
    }
    this.#digest = version
    this.#loadedAt = this.#now()
    this.#rejection = undefined
    this.#log.info({ path: this.#path, products: this.#current.size }, 'catalog reloaded')
    return 'reloaded'
  }

  #keep(): ReloadOutcome {
    if (this.#rejection !== undefined) {
      this.#rejection = undefined
      this.#log.info({ path: this.#path }, 'catalog file is again the version in use')
    }
    return 'unchanged'
  }

  #reject(readVersion: string, error: unknown): ReloadOutcome {
    const problems = problemsOf(error)
    // An unreadable file has no digest: what tells two of its states apart is the reason.
    const version = readVersion === 'unreadable' ? `unreadable: ${problems[0]?.message}` : readVersion
    if (this.#rejection?.version === version) return 'rejected'
    this.#rejection = { version, problems }
    const facts = { path: this.#path, problems: problems.slice(0, PROBLEMS_SHOWN) }
    const more = problems.length - PROBLEMS_SHOWN
    this.#log.error(
      more > 0 ? { ...facts, moreProblems: more } : facts,
      `catalog not reloaded, the last good one stays in use: ${count(problems.length)}`,
    )
    return 'rejected'
  }
}

interface Loaded {
  readonly catalog: Catalog
  readonly digest: string
}

async function load(path: string): Promise<Loaded> {
  const { bytes, digest } = await readCatalogFile(path)
  return { catalog: await parseCatalog(decodeCatalog(bytes)), digest }
}

/** Changes whenever the file is written or replaced, as far as the file system tells. */
async function fingerprintOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return `${ino}:${size}:${mtimeNs}:${ctimeNs}`
  } catch {
    // Why it cannot be looked at is told by the read that follows.
    return 'none'
  }
}

function problemsOf(error: unknown): readonly CatalogProblem[] {
  if (error instanceof CatalogError) return error.problems
  return [{ pointer: '', message: error instanceof Error ? error.message : String(error) }]
}

function count(problems: number): string {
  return problems === 1 ? '1 problem' : `${problems} problems`
}
