import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { buildApp } from '../../src/app.ts'
import { simulatedBuyers } from './buyers.ts'
import { type Checks, checksOf } from './checks.ts'
import { type BadSession, simulatedDots, WEBHOOK_SECRET } from './dots.ts'
import { randomSource } from './random.ts'
import { simulatedReceiver } from './receiver.ts'
import { openShop } from './shop.ts'
import { drawTroubles, type Trouble, troublesOf } from './troubles.ts'
import { monotonicMs, newOwner, realSeconds, resetTime, runAs, runUntil } from './virtual-time.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** After the last session has ended: then whatever can still be found has to be found. */
const CALM_AT_END_MS = 100 * MINUTE
const MAX_FAILURES = 20
/** Databases in memory wait for no disk. */
const MEMORY = '/dev/shm'
const SVIX_IP = '192.0.2.10'

export interface RunOptions {
  seed: number
  hours: number
  clicksPerHour: number
  processes: number
  /** Only these kinds of trouble; empty: all. */
  only: readonly string[]
  buildApp: typeof buildApp
  /** Each line of the service's log, if somebody wants to read it. */
  trace?: (atMs: number, process: string, line: string) => void
}

/** A rule that was broken, and when: the first time for each rule. */
export interface Failure {
  rule: string
  atMs: number
  details: object
}

/** Runs the service under the troubles of one seed. Two runs of one seed have the same `digest`. */
export async function run(options: RunOptions) {
  const { seed, hours, processes, only, trace } = options
  resetTime(seed)
  const random = randomSource(seed).fork('world')
  const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'simulation-'))
  const list = drawTroubles(random.fork('troubles'), hours, only)
  const troubles = troublesOf(list)
  const failures: Failure[] = []
  const fail = (rule: string, details: object) => {
    if (failures.length < MAX_FAILURES && !failures.some((one) => one.rule === rule))
      failures.push({ rule, atMs: monotonicMs(), details })
  }
  const digest = createHash('sha256')
  let checks: Checks | undefined
  const world = newOwner('world')

  const catalogPath = join(folder, 'catalog.json')
  const prices: Record<string, number[]> = { tee: [2_500], mug: [1_200], lamp: [9_900] }
  const writeCatalog = (text?: string) => {
    const products = Object.entries(prices).map(([sku, all]) => ({ sku, name: sku, amount: all.at(-1) }))
    writeFileSync(catalogPath, text ?? JSON.stringify({ products }))
  }
  writeCatalog()

  const receiver = simulatedReceiver({ random: random.fork('receiver'), troubles })
  const setup = random.fork('setup')
  const dots = simulatedDots({
    random: random.fork('dots'),
    troubles,
    listOrder: setup.pick(['newest-first', 'oldest-first']),
    fetch: async (_url, init = {}) => {
      const headers = Object.fromEntries(new Headers(init.headers))
      const payload = String(init.body)
      const answer = await shop.request({
        method: 'POST',
        path: '/webhooks/dots',
        headers,
        payload,
        ip: SVIX_IP,
      })
      if (answer === undefined) throw new Error('no answer')
      if (answer.status < 300) checks?.onEventAccepted(payload)
      return new Response(null, { status: answer.status })
    },
  })
  /** Seconds. */
  const expiresIn = setup.pick([900, 1_800, 3_600, 10_799])
  const shop = openShop({
    folder,
    processes,
    random: random.fork('shop'),
    troubles,
    dots,
    receiver,
    buildApp: options.buildApp,
    expiresIn,
    fail,
    onLog: (process, text) => {
      // The name of the folder is another one each time.
      digest.update(text.replaceAll(folder, ''))
      trace?.(monotonicMs(), process, text)
      checks?.onLog(process, text)
    },
  })
  receiver.onFirst = (id, body) => checks?.onAnnounced(id, body)
  const buyers = simulatedBuyers({
    random: random.fork('buyers'),
    troubles,
    dots,
    shop,
    fail,
    priceOf: (sku) => prices[sku] ?? [],
    onSale: (sale) => checks?.onSale(sale),
  })

  const bad = random.fork('bad sessions')
  /** What a trouble does at its beginning; the others are asked for while they go on. */
  const begin: Partial<Record<Trouble['kind'], (trouble: Trouble) => unknown>> = {
    crash: shop.crash,
    restart: shop.restart,
    'clock-jump': shop.jumpClock,
    'flash-sale': ({ variant, from, to }) => buyers.flashSale(Math.floor(20 * 20 ** variant), to - from),
    'foreign-events': ({ variant, from, to }) => sendEvents('foreign', 200 * 45 ** variant, to - from),
    'forged-events': ({ variant, from, to }) => sendEvents('forged', 50 + variant * 500, to - from),
    'catalog-broken': ({ to }) => {
      writeCatalog('{ "products": [')
      setTimeout(writeCatalog, to - monotonicMs())
    },
    'price-change': ({ variant }) => {
      prices.tee?.push(2_000 + Math.floor(variant * 1_000))
      writeCatalog()
    },
  }

  async function sendEvents(kind: 'foreign' | 'forged', total: number, duringMs: number): Promise<void> {
    for (let number = 0; number < total; number++) {
      const body = {
        event: 'transfer.updated',
        transfer_id: `${kind}_${Math.floor(monotonicMs())}_${number}`,
      }
      const secret =
        kind === 'forged' ? `whsec_${Buffer.from('another key').toString('base64')}` : WEBHOOK_SECRET
      void dots.sandbox.sendEvent('', { body, secret }).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, duringMs / total))
    }
  }

  function markBadSessions(): void {
    const trouble = troubles.active('bad-sessions')
    if (trouble === undefined) return
    const kinds: readonly [BadSession, ...BadSession[]] = ['500', 'firewall', 'nonsense']
    for (const [id, session] of dots.sandbox.sessions) {
      if (session.status !== 'open' || dots.badSessions.has(id) || seenSessions.has(id)) continue
      seenSessions.add(id)
      if (bad.chance(0.02 + 0.4 * trouble.variant ** 2)) dots.badSessions.set(id, bad.pick(kinds))
    }
  }
  const seenSessions = new Set<string>()

  const startedAt = realSeconds()
  const calmFromMs = Math.max(hours * HOUR, ...list.map(({ to }) => to))
  const endMs = calmFromMs + expiresIn * SECOND + CALM_AT_END_MS
  await runAs(world, async () => {
    const started = shop.start()
    await runUntil(SECOND, shop.endTurn)
    await started
    const database = new DatabaseSync(join(folder, 'shop.db'), { readOnly: true })
    checks = checksOf({ database, troubles, dots, receiver, shop, fail })
    for (const trouble of list) setTimeout(() => void begin[trouble.kind]?.(trouble), trouble.from)
    setInterval(() => {
      dots.sandbox.delivery.lose = troubles.isActive('events-lost') ? 1 : 0.02
      markBadSessions()
      checks?.often()
    }, 10 * SECOND)
    setInterval(() => checks?.seldom(), 30 * MINUTE)
    Object.assign(dots.sandbox.delivery, { double: 0.1, shuffle: true, delayMs: 500 })
    void buyers.crowd(options.clicksPerHour, hours * HOUR)
    await runUntil(endMs, shop.endTurn)
    checks.seldom()
    checks.atEnd()
    const closed = shop.close()
    await runUntil(endMs + MINUTE, shop.endTurn)
    await closed
    await dots.close()
    database.close()
  })
  rmSync(folder, { recursive: true, force: true })
  return {
    failures,
    troubles: list,
    digest: digest.digest('hex').slice(0, 16),
    seconds: realSeconds() - startedAt,
    counts: {
      ...buyers.counts,
      ...dots.calls,
      announced: receiver.messages.size,
      bad: dots.badSessions.size,
    },
  }
}
