import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, readdirSync, truncateSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { rowsOf, sessionsOf } from '../checkout/clicks.ts'
import { type Deployment, deploy } from '../operations/server-process.ts'
import { WEBHOOK_SECRET } from '../orders/receiver.ts'
import {
  change,
  IDLE_JOBS,
  lockStore,
  movableClock,
  payQuietly,
  rows,
  startWithWebhook,
} from '../orders/sale.ts'
import { type Service, startService } from '../service.ts'
import { expectNoSecrets, readyz, states, tryFaults } from './buyer.ts'
import type { Outcome } from './matrix.ts'

const SWEEPING = { ...IDLE_JOBS, sweepEveryMs: 50, callsPerMinute: 60_000 }
const LINK = '/buy/tee?quantity=2&email=jane@example.com'
/** "nobody", who owns nothing. */
const NOBODY = 65_534
const IS_ROOT = process.getuid?.() === 0

/** Clicks, is sent to Dots all the same, and finds the details of the sale in the log. */
async function clickWithoutStore(shop: Service): Promise<string> {
  const answer = await shop.get(LINK)
  const session = sessionsOf(shop).at(-1)
  expect([answer.status, answer.headers.get('location')]).toEqual([302, session?.checkout_session_url])
  const id = session?.metadata?.checkout_id
  const details = { checkout: id, session: session?.id, items: 'tee:2', amountTotal: 5000 }
  expect(shop.log.filter(({ level, event }) => level === 50 && event !== 'job.failed').at(-1)).toMatchObject(
    details,
  )
  expectNoSecrets(shop)
  return String(id)
}

async function locked(): Promise<Outcome> {
  const clock = movableClock()
  const shop = await startService({ now: clock.now, pace: SWEEPING })
  const unlock = lockStore(shop)
  const id = await clickWithoutStore(shop)
  const codes = shop.log.filter(({ event }) => event === 'checkout.not-stored').map(({ code }) => code)
  expect(codes).toEqual(['SQLITE_BUSY'])
  unlock()
  expect(rowsOf(shop)).toEqual([])
  clock.forward(2 * 3_600)
  await expect.poll(() => rowsOf(shop).map((row) => row.id), { timeout: 10_000 }).toEqual([id])
  expect(rowsOf(shop)[0]).toMatchObject({ amount_total: 5000 })
  return { buyer: '302', store: 'nothing, then the whole row by the sweep' }
}

async function lockedForAMoment(): Promise<Outcome> {
  const shop = await startService()
  const unlock = lockStore(shop)
  setTimeout(unlock, 300)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  expect(shop.log.filter(({ level }) => Number(level) > 30)).toEqual([])
  return { buyer: '302, a moment later', store: states(rowsOf(shop)) }
}

async function closed(): Promise<Outcome> {
  const shop = await startService()
  await shop.services.store.close()
  await clickWithoutStore(shop)
  expect(await readyz(shop)).toMatchObject({ status: 503, body: { parts: { store: { status: 'failed' } } } })
  expect((await shop.get('/healthz')).status).toBe(200)
  return { buyer: '302; /readyz 503', store: 'nothing; the details are in the log and at Dots' }
}

async function emptied(): Promise<Outcome> {
  const shop = await startService()
  await shop.get('/buy/tee')
  for (const end of ['', '-wal']) truncateSync(shop.databasePath + end, 0)
  const answer = await shop.get(LINK)
  expect([answer.status, answer.headers.get('location')]).toEqual([
    302,
    sessionsOf(shop).at(-1)?.checkout_session_url,
  ])
  expectNoSecrets(shop)
  return { buyer: '302', store: 'unreadable; the details are at Dots' }
}

/** A disk of a few hundred kilobytes; undefined where this user may not make one. */
function smallDisk(folder: string): string | undefined {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=320k', 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  onTestFinished(() => void execFileSync('umount', ['-l', disk]))
  return disk
}

/** The service as a process that another command starts, once it listens or has ended. */
async function runThrough(
  shop: Deployment,
  command: readonly [string, ...string[]],
  { env = {}, uid }: { env?: Record<string, string>; uid?: number } = {},
) {
  const [program, ...rest] = command
  const child = spawn(program, [...rest, process.execPath, resolve('src/server.ts')], {
    cwd: shop.folder,
    env: { ...shop.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid !== undefined && { uid, gid: uid }),
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const ended = once(child, 'close')
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  })
  const isDone = () => output.includes('server.listening') || child.exitCode !== null
  await vi.waitUntil(isDone, { timeout: 30_000, interval: 20 })
  return { child, ended, output: () => output }
}

async function full(): Promise<Outcome> {
  const shop = await deploy()
  const disk = smallDisk(shop.folder)
  const databasePath = disk === undefined ? shop.databasePath : join(disk, 'shop.db')
  const server = await runThrough(
    shop,
    // No byte of any file beyond 512 KiB: where no small disk can be had, that is one which takes no more.
    disk === undefined ? ['sh', '-c', 'ulimit -f 1024; exec "$@"', 'sh'] : ['env'],
    { env: { DATABASE_URL: `sqlite:${databasePath}` } },
  )
  const isFull = () => server.output().includes('checkout.not-stored')
  for (let n = 0; n < 400 && !isFull(); n++) expect((await shop.get(LINK)).status).toBe(302)
  expect(isFull()).toBe(true)
  for (let n = 0; n < 20; n++) expect((await shop.get(LINK)).status).toBe(302)
  const failed = () =>
    server
      .output()
      .split('\n')
      .filter((line) => line.includes('"level":50') && line.endsWith('}'))
      .map((line): Record<string, unknown> => JSON.parse(line))
  // Each sale that is not in the store is in the log.
  const missed = () => {
    const stored = new Set(rows({ databasePath }, 'checkouts').map(({ id }) => id))
    const logged = failed().filter(({ items, amountTotal }) => items === 'tee:2' && amountTotal === 5000)
    const known = new Set([...stored, ...logged.map(({ checkout }) => checkout)])
    return [...shop.sandbox.sessions.values()].filter(({ metadata }) => !known.has(metadata?.checkout_id))
  }
  await expect.poll(() => missed().length).toBe(0)
  const failures = failed()
  const codes = [...new Set(failures.map(({ code }) => code))]
  // The disk may be full at the first write and not at the second: then there is no row to complete.
  for (const code of codes) expect(['SQLITE_FULL', 'SQLITE_IOERR', 'no-row']).toContain(code)
  expect(server.output()).not.toContain('jane')
  expect(server.output()).not.toContain('"stack"')
  return { buyer: '302', store: `what fitted (${codes.join(', ')}); the details are in the log` }
}

async function readOnly(): Promise<Outcome> {
  const shop = await deploy()
  const first = await shop.start()
  expect((await shop.get('/buy/tee')).status).toBe(302)
  first.child.kill('SIGTERM')
  await first.ended
  const folder = join(shop.databasePath, '..')
  for (const path of [shop.folder, shop.catalogPath, folder]) if (IS_ROOT) chownSync(path, NOBODY, NOBODY)
  for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o444)
  const server = await runThrough(shop, ['env'], IS_ROOT ? { uid: NOBODY } : {})
  await server.ended
  expect(server.child.exitCode).toBe(1)
  const owner = IS_ROOT ? '0 (root)' : String(process.getuid?.())
  expect(server.output()).toContain('"code":"SQLITE_READONLY"')
  expect(server.output()).toContain(`${shop.databasePath} belongs to user ${owner} and has mode 0444`)
  expect(server.output()).not.toContain('"stack"')
  expect(rows(shop, 'checkouts')).toHaveLength(1)
  return { buyer: '(it does not start: exit 1)', store: 'what it held before' }
}

async function lockedAtWebhook(): Promise<Outcome> {
  const shop = await startWithWebhook({ pace: IDLE_JOBS })
  expect((await shop.get('/buy/tee')).status).toBe(302)
  const [session] = sessionsOf(shop)
  if (session === undefined) throw new Error('no session')
  await payQuietly(shop, session)
  const unlock = lockStore(shop)
  expect(await shop.sandbox.sendEvent(session.id, { id: 'msg_1' })).toBe(503)
  unlock()
  expect(rows(shop, 'events')).toEqual([])
  expect(await shop.sandbox.sendEvent(session.id, { id: 'msg_1' })).toBe(200)
  await expect.poll(() => rowsOf(shop)[0]?.state).toBe('complete')
  expectNoSecrets(shop)
  return { buyer: '(Dots: 503, and 200 the second time)', store: 'row complete' }
}

async function goneAtWebhook(): Promise<Outcome> {
  const shop = await startWithWebhook({ pace: IDLE_JOBS, env: { DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET } })
  await shop.get('/buy/tee')
  const [session] = sessionsOf(shop)
  change(shop, 'drop table events')
  expect(await shop.sandbox.sendEvent(session?.id ?? '')).toBe(503)
  expect(rowsOf(shop)[0]).toMatchObject({ state: 'open' })
  return { buyer: '(Dots: 503, so that it comes again)', store: states(rowsOf(shop)) }
}

async function returnWithoutStore(): Promise<Outcome> {
  const shop = await startService()
  await shop.get('/buy/tee')
  const id = sessionsOf(shop)[0]?.metadata?.checkout_id
  await shop.services.store.close()
  const answer = await shop.get(`/success?checkout=${id}`)
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '3'])
  expect(await answer.text()).not.toContain('not been charged')
  return { buyer: '503 after the payment: reloads by itself', store: 'nothing' }
}

tryFaults([
  { fault: 'store-at-click', injected: 'another process holds the lock', run: locked },
  { fault: 'store-at-click', injected: 'another process holds the lock for 300 ms', run: lockedForAMoment },
  { fault: 'store-at-click', injected: 'a full disk', run: full },
  { fault: 'store-at-click', injected: 'a file that may only be read, at the start', run: readOnly },
  { fault: 'store-at-click', injected: 'a closed file', run: closed },
  { fault: 'store-at-click', injected: 'a file that is emptied under it', run: emptied },
  { fault: 'store-at-click', injected: 'a closed file at the return', run: returnWithoutStore },
  { fault: 'store-at-webhook', injected: 'another process holds the lock', run: lockedAtWebhook },
  { fault: 'store-at-webhook', injected: 'the table of events is gone', run: goneAtWebhook },
])
