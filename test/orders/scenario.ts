import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { type App, buildApp } from '../../src/app.ts'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import type { SandboxSession } from '../../src/sandbox/sessions.ts'
import { CREDENTIALS, freePort, PRODUCTS, STORE } from '../service.ts'
import { type Receiver, WEBHOOK_SECRET } from './receiver.ts'
import { change, movableClock, rows } from './sale.ts'

export const SESSIONS = 3
/** An hour, so that a step of the clock can bring a session to its end. */
const EXPIRES_IN = '3600'
const PACE = {
  sweepEveryMs: 40,
  eventsEveryMs: 40,
  deliverEveryMs: 20,
  callsPerMinute: 60_000,
  retrySeconds: [0, 0, 0, 0, 0, 0, 0],
}
/** Time goes fast at the end: claims and leases of ended processes run out, sessions expire, backfills are due. */
const TICK_SECONDS = 300
const TICK_MS = 20
const MAX_END_MS = 15_000

/** What the store knows of a click: all, not the response of Dots, or nothing. */
type Kind = 'stored' | 'no-response' | 'not-stored'

export type Step =
  | { what: 'pay' | 'expire' | 'return' | 'webhook' | 'replay' | 'doubled' | 'storm'; session: number }
  | { what: 'clock'; seconds: number }
  | { what: 'crash' | 'dots-fails' | 'dots-reports-expired' | 'receiver-fails' }

/** One shop with three sessions, to which anything may happen in any order. */
export async function openScenario(receiver: Receiver, kinds: readonly Kind[]) {
  const clock = movableClock()
  const folder = await mkdtemp(join(tmpdir(), 'buy-links-property-'))
  const databasePath = join(folder, 'buy-links.db')
  const catalogPath = join(folder, 'catalog.json')
  await writeFile(catalogPath, JSON.stringify({ products: PRODUCTS }))
  const sandbox = await startSandbox({ ...CREDENTIALS, now: clock.now })
  const port = await freePort()
  const url = `http://localhost:${port}`
  sandbox.webhook = { url: `${url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  const env = {
    ...receiver.env,
    DOTS_CLIENT_ID: CREDENTIALS.clientId,
    DOTS_API_KEY: CREDENTIALS.apiKey,
    DOTS_API_URL: sandbox.url,
    DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET,
    PORT: String(port),
    PUBLIC_URL: url,
    CATALOG_PATH: catalogPath,
    DATABASE_URL: `sqlite:${databasePath}`,
    RATE_LIMIT_MAX: '100000',
    CHECKOUT_EXPIRES_IN: EXPIRES_IN,
  }
  let shop = await open()
  const sessions: SandboxSession[] = []
  for (const kind of kinds) sessions.push(await click(kind))
  let refusals = 0
  receiver.received.length = 0
  receiver.answer = () => {
    refusals -= 1
    return refusals >= 0 ? 500 : 204
  }

  async function open(): Promise<App> {
    const opened = await buildApp(env, {
      now: clock.now,
      pace: PACE,
      logDestination: { write: () => {} },
      storeOptions: STORE,
    })
    await opened.app.listen({ host: '127.0.0.1', port })
    return opened
  }

  async function click(kind: Kind): Promise<SandboxSession> {
    if (kind === 'no-response') sandbox.failNext('done-then-reset', 1, 'create')
    await fetch(`${url}/buy/tee`, { redirect: 'manual' })
    const session = [...sandbox.sessions.values()].at(-1)
    if (session === undefined) throw new Error('the click opened no session')
    if (kind === 'not-stored') change({ databasePath }, `delete from checkouts where id = '${idOf(session)}'`)
    return session
  }

  function at(index: number): SandboxSession {
    const session = sessions[index]
    if (session === undefined) throw new Error(`no session ${index}`)
    // Looked up again: the sandbox expires a session when it is read.
    return sandbox.sessions.get(session.id) ?? session
  }

  /** An event of this session, with the real time, because the signature is checked with it. */
  async function sendEvent(index: number, id?: string): Promise<void> {
    const timestamp = Math.floor(Date.now() / 1000)
    await sandbox
      .sendEvent(at(index).id, { timestamp, ...(id !== undefined && { id }) })
      .catch(() => undefined)
  }

  async function comeBack(index: number): Promise<void> {
    await fetch(at(index).success_url, { redirect: 'manual' }).then(
      (answer) => answer.arrayBuffer(),
      () => undefined,
    )
  }

  /** The nearest to a kill within one process: the store is closed at once, whatever is under way. */
  async function crash(): Promise<void> {
    await shop.services.store.close()
    shop.app.server.closeAllConnections()
    await shop.app.close()
    shop = await open()
  }

  async function play(step: Step): Promise<void> {
    switch (step.what) {
      case 'pay': {
        if (at(step.session).status !== 'open') return
        const { webhook } = sandbox
        sandbox.webhook = undefined
        await sandbox.pay(at(step.session).id)
        sandbox.webhook = webhook
        return
      }
      case 'expire':
        if (at(step.session).status === 'open') sandbox.expire(at(step.session).id)
        return
      case 'return':
        return comeBack(step.session)
      case 'webhook':
        return sendEvent(step.session)
      case 'replay':
        return sendEvent(step.session, `msg_${step.session}`)
      case 'doubled':
        await Promise.all([sendEvent(step.session, 'msg_doubled'), sendEvent(step.session, 'msg_doubled')])
        return
      case 'storm': {
        const { session } = step
        const all = [sendEvent(session), comeBack(session), sendEvent(session), comeBack(session)]
        // For one of the three sessions the process ends in the middle of it.
        if (session % 2 === 1) await crash()
        await Promise.all(all)
        return
      }
      case 'clock':
        clock.forward(step.seconds)
        return
      case 'crash':
        return crash()
      case 'dots-fails':
        sandbox.failNext({ status: 500 }, 2)
        return
      case 'dots-reports-expired':
        sandbox.failNext({ alter: (body) => ({ ...body, status: 'expired' }) }, 1, 'read')
        return
      case 'receiver-fails':
        refusals = 2
    }
  }

  return {
    /** Lets one thing happen. */
    play,
    /** Ends all faults, lets time pass, and checks what is there then. */
    async expectEachPaidOnce() {
      sandbox.clear()
      refusals = 0
      const paid = () => sessions.map((_, index) => at(index)).filter(({ status }) => status === 'complete')
      const announced = () => new Set(receiver.ids())
      const end = performance.now() + MAX_END_MS
      let quiet = 0
      // Some rounds more than needed: a second announcement would come late.
      while (quiet < 10 && performance.now() < end) {
        clock.forward(TICK_SECONDS)
        await sleep(TICK_MS)
        const states = new Map(rows({ databasePath }, 'checkouts').map(({ id, state }) => [id, state]))
        const done = paid().every(
          (one) => states.get(idOf(one)) === 'complete' && announced().has(`order_${idOf(one)}`),
        )
        quiet = done && sessions.every((_, index) => at(index).status !== 'open') ? quiet + 1 : 0
      }
      const idsIn = (table: string) =>
        rows({ databasePath }, table)
          .map(({ checkout_id }) => checkout_id)
          .sort()
      const complete = rows({ databasePath }, 'checkouts').filter(({ state }) => state === 'complete')
      const ids = paid().map(idOf).sort()
      expect(complete.map(({ id }) => id).sort()).toEqual(ids)
      expect(idsIn('sales')).toEqual(ids)
      expect(idsIn('announcements')).toEqual(ids)
      expect([...announced()].sort()).toEqual(ids.map((id) => `order_${id}`))
    },
    async close() {
      await shop.app.close()
      await sandbox.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function idOf(session: SandboxSession): string {
  return String(session.metadata?.checkout_id)
}
