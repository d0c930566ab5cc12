import { join } from 'node:path'
import type { App } from '../../src/app.ts'
import { CREDENTIALS, type SimulatedDots, WEBHOOK_SECRET } from './dots.ts'
import { SimulatedNetwork } from './network.ts'
import type { RandomSource } from './random.ts'
import type { Receiver } from './receiver.ts'
import { closeDatabasesOf, databaseError, observeStatements } from './simulated-database.ts'
import { clockErrorOf, type Trouble, type Troubles } from './troubles.ts'
import { monotonicMs, newOwner, type Owner, runAs } from './virtual-time.ts'

export const SHOP_ORIGIN = 'https://buy.shop.example'
const DOTS_ORIGIN = 'http://127.0.0.1:4010'
export const LINK_SECRET = 'a secret that signs simulated links'
/** Most rows that the service may read and change without letting the event loop go on. */
const MAX_ROWS_AT_A_TIME = 500
const RESTART_MS = 5_000
const FAILED_REQUEST = /"event":"request.failed".*"code":"([^"]+)"/

export interface ShopRequest {
  method?: 'GET' | 'HEAD' | 'POST'
  path: string
  headers?: Record<string, string>
  payload?: string
  ip: string
}

export interface ShopAnswer {
  status: number
  location: string | undefined
  cookie: string | undefined
  body: string
}

interface ShopOptions {
  folder: string
  processes: number
  random: RandomSource
  troubles: Troubles
  dots: SimulatedDots
  receiver: Receiver
  buildApp: typeof import('../../src/app.ts').buildApp
  /** Seconds. */
  expiresIn: number
  fail: (rule: string, details: object) => void
  onLog: (process: string, line: string) => void
}

interface Process {
  name: string
  owner: Owner
  app: App['app'] | undefined
  /** Resolves when it dies, for those who wait for its answer. */
  gone: PromiseWithResolvers<undefined>
  /** Statements that it may still make before it dies. */
  statementsLeft: number
}

export type Shop = ReturnType<typeof openShop>

/** The processes of the service on one database, behind a load balancer. */
export function openShop(options: ShopOptions) {
  const { folder, random, troubles, dots, receiver, fail, onLog } = options
  const balancer = random.fork('balancer')
  const processes = new Map<string, Process>()
  const processOf = new WeakMap<Owner, Process>()
  const turn = { rows: 0, statements: 0, texts: new Map<string, number>() }
  /** When each table was last looked at by a job, as a sign that the job is alive. */
  const lastSeen = { events: 0, announcements: 0, leases: 0 }

  observeStatements({
    before(owner, { isWrite }) {
      const process = processOf.get(owner)
      if (process === undefined) return undefined
      process.statementsLeft -= 1
      if (process.statementsLeft < 0) {
        kill(process)
        return new Error('the process is gone')
      }
      if (troubles.isActive('database-gone')) return databaseError('gone')
      if (isWrite && troubles.isActive('database-full')) return databaseError('full')
      if (isWrite && troubles.isActive('database-locked')) return databaseError('locked')
      return undefined
    },
    after(owner, { text, rows }) {
      if (processOf.get(owner) === undefined) return
      turn.rows += rows
      turn.statements += 1
      if (rows > 0) turn.texts.set(text, (turn.texts.get(text) ?? 0) + rows)
      const table = /(?:from|into) "?(events|announcements|leases)"?/.exec(text)?.[1]
      if (table === 'events' || table === 'announcements' || table === 'leases')
        lastSeen[table] = monotonicMs()
    },
  })

  function environment(): Record<string, string> {
    return {
      DOTS_CLIENT_ID: CREDENTIALS.clientId,
      DOTS_API_KEY: CREDENTIALS.apiKey,
      DOTS_API_URL: `${DOTS_ORIGIN}/api`,
      DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET,
      PUBLIC_URL: SHOP_ORIGIN,
      CATALOG_PATH: join(folder, 'catalog.json'),
      DATABASE_URL: `sqlite:${join(folder, 'shop.db')}`,
      FULFILLMENT_URL: 'https://erp.shop.example/orders',
      FULFILLMENT_SECRET: WEBHOOK_SECRET,
      LINK_SIGNING_SECRET: LINK_SECRET,
      CHECKOUT_EXPIRES_IN: String(options.expiresIn),
      RATE_LIMIT_MAX: '1000000',
      WARM_CHECKOUTS: '40',
    }
  }

  async function start(name: string, clockSkewMs = 0): Promise<void> {
    const owner = newOwner(name)
    owner.clockSkewMs = clockSkewMs
    const gone = Promise.withResolvers<undefined>()
    const process: Process = { name, owner, app: undefined, gone, statementsLeft: Infinity }
    processes.set(name, process)
    processOf.set(owner, process)
    const write = (text: string) => {
      if (owner.isDead) return
      const failure = FAILED_REQUEST.exec(text)?.[1]
      if (failure !== undefined) shop.lastFailure = failure
      onLog(name, text)
    }
    const reach = (request: Parameters<SimulatedDots['handle']>[0]) =>
      request.origin === DOTS_ORIGIN ? dots.handle(request) : receiver.handle(request)
    try {
      await runAs(owner, async () => {
        const { app, services } = await options.buildApp(environment(), {
          logDestination: { write },
          // A thread would work in real time.
          storeOptions: { withoutThread: true },
          dispatcher: () =>
            new SimulatedNetwork(reach, (origin) => (origin === DOTS_ORIGIN ? 5_000 : 15_000)),
        })
        await app.ready()
        services.jobs.start()
        services.dots.start()
        process.app = app
      })
    } catch {
      // Whatever runs the service starts it again.
      if (owner.isDead) return
      kill(process)
      setTimeout(() => void start(name, clockSkewMs), RESTART_MS)
    }
  }

  function kill(process: Process): void {
    process.owner.isDead = true
    closeDatabasesOf(process.owner)
    process.app = undefined
    process.gone.resolve(undefined)
  }

  /** The process that a trouble is for. */
  const victimOf = ({ variant }: Trouble) => [...processes.values()][Math.floor(variant * processes.size)]

  const shop = {
    lastSeen,
    /** The code of the last request that failed. */
    lastFailure: '',

    async start(): Promise<void> {
      for (let number = 1; number <= options.processes; number++) await start(`process-${number}`)
    },

    /** Dies before one of its next statements, or at this moment, and comes back at `to`. */
    crash(trouble: Trouble): void {
      const process = victimOf(trouble)
      if (process === undefined) return
      process.statementsLeft = random.below(30)
      setTimeout(() => {
        if (!process.owner.isDead) kill(process)
        void start(process.name, process.owner.clockSkewMs)
      }, trouble.to - monotonicMs())
    },

    async restart(trouble: Trouble): Promise<void> {
      const process = victimOf(trouble)
      const app = process?.app
      if (process === undefined || app === undefined) return
      process.app = undefined
      await Promise.race([
        runAs(process.owner, () => app.close()).catch(() => undefined),
        process.gone.promise,
      ])
      if (process.owner.isDead) return
      kill(process)
      await start(process.name, process.owner.clockSkewMs)
    },

    async jumpClock(trouble: Trouble): Promise<void> {
      const process = victimOf(trouble)
      if (process === undefined) return
      process.owner.clockSkewMs += clockErrorOf(trouble)
      await new Promise((resolve) => setTimeout(resolve, trouble.to - monotonicMs()))
      const now = processes.get(process.name)
      if (now !== undefined) now.owner.clockSkewMs = 0
    },

    /** One request through the load balancer; undefined where no answer comes. */
    async request({
      method = 'GET',
      path,
      headers,
      payload,
      ip,
    }: ShopRequest): Promise<ShopAnswer | undefined> {
      const ready = [...processes.values()].filter(({ app }) => app !== undefined)
      const process = ready[balancer.below(ready.length)]
      if (process?.app === undefined) return undefined
      const { app, owner, gone } = process
      const answer = await Promise.race([
        // `inject` begins when it is awaited.
        runAs(
          owner,
          async () => await app.inject({ method, url: path, headers, payload, remoteAddress: ip }),
        ),
        gone.promise,
      ])
      if (answer === undefined) return undefined
      const [cookie] = [answer.headers['set-cookie'] ?? []].flat()
      const location = answer.headers.location
      return {
        status: answer.statusCode,
        location: location === undefined ? undefined : String(location),
        cookie: cookie?.split(';')[0],
        body: answer.body,
      }
    },

    /** To be called whenever the event loop goes on. */
    endTurn(): void {
      if (turn.rows > MAX_ROWS_AT_A_TIME) {
        const [text] = [...turn.texts].sort(([, a], [, b]) => b - a)[0] ?? []
        fail('too-much-at-a-time', {
          rows: turn.rows,
          statements: turn.statements,
          mostOf: text?.slice(0, 80),
        })
      }
      turn.rows = 0
      turn.statements = 0
      turn.texts.clear()
    },

    async close(): Promise<void> {
      for (const process of processes.values()) {
        const { app } = process
        if (app !== undefined) await runAs(process.owner, () => app.close())
        kill(process)
      }
    },
  }
  return shop
}
