import { AsyncLocalStorage } from 'node:async_hooks'
import crypto from 'node:crypto'
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import perfHooks from 'node:perf_hooks'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { randomSource } from './random.ts'

/** One part of the simulated world: a process of the service, Dots, the buyers. What it starts belongs to it. */
export interface Owner {
  readonly name: string
  /** The timers of a dead owner never run, and no answer reaches it. */
  isDead: boolean
  /** How far its wall clock is wrong, in milliseconds. Its monotonic clock is always right. */
  clockSkewMs: number
}

/** Where virtual time begins. */
const EPOCH_MS = Date.UTC(2026, 0, 5, 9)
/** Timers at one moment. More mean that something runs in a circle without letting time go on. */
const MAX_TIMERS_AT_ONE_MOMENT = 200_000

/** What Node calls requests to a thread of its own: files, names, compression. */
const REAL_WORK = /^(?:FSReq|GetAddrInfo|Zlib|Worker|MessagePort)/
const STEPS_BETWEEN_LOOKS = 50

const real = {
  hrtime: process.hrtime,
  Date,
  setImmediate,
  clearTimeout,
  randomBytes: crypto.randomBytes,
}
const owners = new AsyncLocalStorage<Owner>()

export const currentOwner = (): Owner | undefined => owners.getStore()
export const runAs = <T>(owner: Owner, work: () => T): T => owners.run(owner, work)
export const newOwner = (name: string): Owner => ({ name, isDead: false, clockSkewMs: 0 })

/** What `setTimeout` returns: as much of `NodeJS.Timeout` as libraries use. */
class VirtualTimer {
  readonly owner = owners.getStore()
  /** Of its entry in the queue; another one means that the entry is of no use any more. */
  order = -1
  readonly callback: (...args: unknown[]) => void
  readonly args: unknown[]
  readonly delayMs: number
  readonly isRepeated: boolean

  constructor(callback: (...args: unknown[]) => void, delayMs: number, args: unknown[], isRepeated: boolean) {
    this.callback = callback
    this.args = args
    this.delayMs = Number.isFinite(delayMs) ? Math.max(0, delayMs) : 0
    this.isRepeated = isRepeated
    this.refresh()
  }

  refresh(): this {
    queue.add(this, clockMs + this.delayMs)
    return this
  }
  ref = () => this
  unref = () => this
  hasRef = () => true
  close(): this {
    this.order = -1
    return this
  }
  [Symbol.dispose]() {
    this.close()
  }
  [Symbol.toPrimitive]() {
    return this.order
  }
}

/** Timers by their time, those of one moment in the order in which they were set: a binary heap. */
class TimerQueue {
  #entries: { timer: VirtualTimer; at: number; order: number }[] = []
  #orders = 0

  add(timer: VirtualTimer, at: number): void {
    timer.order = this.#orders++
    const entries = this.#entries
    entries.push({ timer, at, order: timer.order })
    for (let child = entries.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1
      if (!this.#isBefore(child, parent)) break
      this.#swap(child, parent)
      child = parent
    }
  }

  /** The next timer that is still wanted, until `limit`. It stays at most as long as it is repeated. */
  take(limit: number): { timer: VirtualTimer; at: number } | undefined {
    for (;;) {
      const [first] = this.#entries
      if (first === undefined || first.at > limit) return undefined
      this.#removeFirst()
      if (first.timer.order === first.order && !first.timer.owner?.isDead) return first
    }
  }

  #removeFirst(): void {
    const entries = this.#entries
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return
    entries[0] = last
    for (let parent = 0; ; ) {
      const left = parent * 2 + 1
      if (left >= entries.length) break
      const child = left + 1 < entries.length && this.#isBefore(left + 1, left) ? left + 1 : left
      if (!this.#isBefore(child, parent)) break
      this.#swap(child, parent)
      parent = child
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#entries[a], this.#entries[b]]
    return x !== undefined && y !== undefined && (x.at === y.at ? x.order < y.order : x.at < y.at)
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#entries[a], this.#entries[b]]
    if (x === undefined || y === undefined) return
    this.#entries[a] = y
    this.#entries[b] = x
  }
}

let clockMs = 0
let queue = new TimerQueue()
let random = randomSource(0)

/** Seconds of the real clock, from an arbitrary moment on. */
export const realSeconds = (): number => Number(real.hrtime.bigint()) / 1e9
/** Milliseconds since virtual time began: the right, monotonic clock. */
export const monotonicMs = (): number => clockMs
/** The right time of day. */
export const rightTime = (): Date => new real.Date(EPOCH_MS + clockMs)

/** Begins at zero again, without any timer. `seed` decides what `Math.random` and `node:crypto` give. */
export function resetTime(seed: number): void {
  clockMs = 0
  queue = new TimerQueue()
  random = randomSource(seed)
}

/** Virtual time would go on meanwhile, and no seed decides when it ends. */
function refuseRealWork(): void {
  const work = process.getActiveResourcesInfo().filter((name) => REAL_WORK.test(name))
  if (work.length > 0) throw new Error(`the simulation waits for real work: ${work.join(', ')}`)
}

/**
 * Runs all timers until `untilMs`, each when everything that the one before has started waits for a timer itself. After
 * each of these steps `afterStep` is called.
 */
export async function runUntil(untilMs: number, afterStep: () => void): Promise<void> {
  let atThisMoment = 0
  let steps = 0
  for (;;) {
    // Before this callback Node runs all ticks and microtasks, and those that they lead to.
    await new Promise<void>((resolve) => real.setImmediate(resolve))
    afterStep()
    steps += 1
    if (steps % STEPS_BETWEEN_LOOKS === 0) refuseRealWork()
    const next = queue.take(untilMs)
    if (next === undefined) break
    atThisMoment = next.at > clockMs ? 0 : atThisMoment + 1
    if (atThisMoment > MAX_TIMERS_AT_ONE_MOMENT) throw new Error('something runs without end at one moment')
    clockMs = Math.max(clockMs, next.at)
    const { timer } = next
    if (timer.isRepeated) timer.refresh()
    const call = () => timer.callback(...timer.args)
    if (timer.owner === undefined) owners.exit(call)
    else owners.run(timer.owner, call)
  }
  clockMs = untilMs
}

/**
 * Replaces clocks, timers and randomness of this process, and whatever of `node:fs` waits for a thread. To be called
 * before anything else is imported, since modules keep what they have read from `globalThis`.
 */
export function installVirtualTime(): void {
  // In whole milliseconds, as the real one.
  const wallMs = () => Math.floor(EPOCH_MS + clockMs + (owners.getStore()?.clockSkewMs ?? 0))
  class VirtualDate extends real.Date {
    constructor(...args: []) {
      if (args.length === 0) super(wallMs())
      else super(...args)
    }
    static override now = wallMs
  }
  const start =
    (isRepeated: boolean) =>
    (callback: () => void, delayMs: number, ...args: unknown[]) =>
      new VirtualTimer(callback, delayMs, args, isRepeated)
  const clear = (timer: unknown) => {
    if (timer instanceof VirtualTimer) timer.close()
    else real.clearTimeout(timer as NodeJS.Timeout)
  }
  const replaced = {
    setTimeout: start(false),
    setInterval: start(true),
    setImmediate: (callback: () => void, ...args: unknown[]) => new VirtualTimer(callback, 0, args, false),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  }
  Object.assign(globalThis, replaced, { Date: VirtualDate })
  Object.assign(timers, replaced)
  const sleep = <T>(delayMs: number, value?: T, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise<T | undefined>((resolve, reject) => {
      const abort = () => {
        timer.close()
        reject(new DOMException('The operation was aborted', 'AbortError'))
      }
      const timer = new VirtualTimer(
        () => {
          signal?.removeEventListener('abort', abort)
          resolve(value)
        },
        delayMs,
        [],
        false,
      )
      if (signal?.aborted) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  Object.assign(timersPromises, {
    setTimeout: sleep,
    setImmediate: (value?: unknown) => sleep(0, value),
    scheduler: { wait: sleep, yield: () => sleep(0) },
  })
  AbortSignal.timeout = (delayMs) => {
    const controller = new AbortController()
    new VirtualTimer(() => controller.abort(new DOMException('', 'TimeoutError')), delayMs, [], false)
    return controller.signal
  }
  Object.defineProperty(performance, 'now', { value: () => clockMs })
  const hrtime = () => [Math.floor(clockMs / 1000), Math.floor((clockMs % 1000) * 1e6)]
  process.hrtime = Object.assign(hrtime, { bigint: () => BigInt(Math.floor(clockMs * 1e6)) }) as never
  Math.random = () => random.next()
  Object.assign(crypto, {
    randomBytes: (size: number) => Buffer.from(random.hex(size * 2), 'hex'),
    randomFillSync: (bytes: Buffer) => bytes.fill(random.hex(bytes.length * 2), 'hex'),
    randomUUID: () => random.uuid(),
  })
  // What is measured of the real machine is never the same twice.
  const { heapUsed } = process.memoryUsage()
  Object.assign(process, {
    memoryUsage: () => ({ rss: heapUsed, heapTotal: heapUsed, heapUsed, external: 0 }),
  })
  const noDelay = { enable() {}, disable() {}, reset() {}, mean: 0, max: 0, percentile: () => 0 }
  Object.assign(perfHooks, { monitorEventLoopDelay: () => noDelay })
  // Real reads end at moments that no seed decides.
  const { readFileSync, statSync, openSync, readSync, closeSync } = fs
  Object.assign(fsPromises, {
    open: async (path: string) => {
      const file = openSync(path, 'r')
      return {
        read: async (into: Buffer, offset: number, length: number) => ({
          bytesRead: readSync(file, into, offset, length, null),
        }),
        [Symbol.asyncDispose]: async () => closeSync(file),
      }
    },
    readFile: async (...args: Parameters<typeof readFileSync>) => readFileSync(...args),
    stat: async (path: string) => statSync(path),
  })
  const watchers = new Map<unknown, VirtualTimer>()
  Object.assign(fs, {
    watchFile: (path: string, { interval }: { interval: number }, listener: () => void) => {
      let seen = statSync(path).mtimeMs
      const look = () => {
        const current = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
        if (current !== seen) listener()
        seen = current
      }
      // Ten times as seldom as asked: a file that nobody changes would be looked at for a tenth of the run.
      watchers.set(listener, new VirtualTimer(look, interval * 10, [], true))
    },
    unwatchFile: (_path: string, listener: unknown) => watchers.get(listener)?.close(),
  })
  syncBuiltinESMExports()
}
