import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { type AppOptions, buildApp } from '../../src/app.ts'
import type { SandboxSession } from '../../src/sandbox/sessions.ts'
import { type Service, type ServiceOptions, STORE, startService } from '../service.ts'
import { WEBHOOK_SECRET } from './receiver.ts'

/** No job runs again during a test, except where the test starts it. */
export const IDLE_JOBS = { sweepEveryMs: 3_600_000, eventsEveryMs: 3_600_000, deliverEveryMs: 3_600_000 }
/** Jobs that run ten times a second. */
export const FAST_JOBS = {
  sweepEveryMs: 100,
  eventsEveryMs: 100,
  deliverEveryMs: 100,
  callsPerMinute: 60_000,
}

/** A service that Dots' events reach. */
export async function startWithWebhook(options: ServiceOptions = {}): Promise<Service> {
  const shop = await startService({
    ...options,
    env: { DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET, ...options.env },
  })
  shop.sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  return shop
}

/** Pays at Dots without any event to the service. */
export async function payQuietly(shop: Service, session: SandboxSession, payment = {}): Promise<void> {
  const { webhook } = shop.sandbox
  shop.sandbox.webhook = undefined
  await shop.sandbox.pay(session.id, payment)
  shop.sandbox.webhook = webhook
}

/** Rows of a table, read by another connection than the service's own. */
export function rows(shop: Pick<Service, 'databasePath'>, table: string): Record<string, unknown>[] {
  const database = new DatabaseSync(shop.databasePath, { readOnly: true, timeout: 5_000 })
  try {
    return database.prepare(`select * from ${table}`).all()
  } finally {
    database.close()
  }
}

/** Changes the database by another connection than the service's own. */
export function change(shop: Pick<Service, 'databasePath'>, statement: string): void {
  const database = new DatabaseSync(shop.databasePath, { timeout: 5_000 })
  try {
    database.exec(statement)
  } finally {
    database.close()
  }
}

/** Holds the store's write lock, as a stuck process would, until the returned function is called. */
export function lockStore(shop: Pick<Service, 'databasePath'>): () => void {
  const database = new DatabaseSync(shop.databasePath, { timeout: 5_000 })
  database.exec('begin immediate')
  return () => {
    database.exec('rollback')
    database.close()
  }
}

/** A clock that tests move, which goes on by itself in between. */
export function movableClock() {
  let offsetMs = 0
  let errorMs = 0
  return {
    now: () => new Date(Date.now() + offsetMs + errorMs),
    monotonic: () => performance.now() + offsetMs,
    forward(seconds: number) {
      offsetMs += seconds * 1000
    },
    /** Sets the clock of the machine wrong, and leaves `monotonic` alone. */
    setWrong(seconds: number) {
      errorMs = seconds * 1000
    },
  }
}

/** The log lines with this event. */
export function logged(shop: Pick<Service, 'log'>, event: string): Record<string, unknown>[] {
  return shop.log.filter((line) => line.event === event)
}

/** Another replica: the same settings and the same store, on a port of its own. It is closed when the test is over. */
export async function startReplica(shop: Service, options: AppOptions = {}) {
  const lines: string[] = []
  const { app, services } = await buildApp(shop.env, {
    logDestination: { write: (line) => void lines.push(line) },
    storeOptions: STORE,
    ...options,
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => app.close())
  const get: Service['get'] = (path, init) => fetch(url + path, { redirect: 'manual', ...init })
  return { app, services, url, get, logText: () => lines.join('') }
}
