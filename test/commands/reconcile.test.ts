import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Checkout } from '../../src/store/checkout.ts'
import { openStore } from '../../src/store/open-store.ts'
import { type Click, checkoutOf, click, rowsOf } from '../checkout/clicks.ts'
import { startReceiver } from '../orders/receiver.ts'
import { change, IDLE_JOBS, payQuietly, rows, startReplica } from '../orders/sale.ts'
import { CREDENTIALS, type Service, startService } from '../service.ts'
import { envOf, run, runBeside, runScript } from './run-command.ts'

const DELIVERING = { ...IDLE_JOBS, deliverEveryMs: 50 }

/** What Dots' list knows of a checkout: neither the times nor the browser nor the exact link. */
function lasting({ completedAt, ...checkout }: Checkout) {
  return {
    ...checkout,
    createdAt: '',
    updatedAt: '',
    browserId: '',
    link: '',
    isComplete: completedAt !== null,
  }
}

/** Loses the store with all that belongs to it; as the start of the service does, makes an empty one in its place. */
async function loseStore(shop: Service): Promise<void> {
  await shop.app.close()
  for (const ending of ['', '-wal', '-shm']) await rm(shop.databasePath + ending, { force: true })
  await (await openStore(`sqlite:${shop.databasePath}`)).close()
}

test('a payment without any event is found and announced, beside the running service', async () => {
  const receiver = await startReceiver()
  const shop = await startService({ env: receiver.env, pace: DELIVERING })
  const paid = await click(shop)
  const open = await click(shop)
  await payQuietly(shop, paid.session)
  const run = await runScript('reconcile', ['--since', '1h'], envOf(shop))
  expect(run).toMatchObject({ code: 0 })
  expect(run.stderr).toContain('2 sessions seen, 1 settled, 0 restored')
  expect(run.stdout).toContain('Done: 2 sessions seen, 1 settled, 0 restored')
  expect((await checkoutOf(shop, paid.checkoutId)).state).toBe('complete')
  expect((await checkoutOf(shop, open.checkoutId)).state).toBe('open')
  await expect.poll(() => receiver.ids()).toEqual([`order_${paid.checkoutId}`])
  // Once more changes nothing.
  expect((await runBeside(shop, 'reconcile')).stdout).toContain(
    'Done: 2 sessions seen, 0 settled, 0 restored',
  )
  await sleep(200)
  expect(receiver.received).toHaveLength(1)
})

test('a lost store is rebuilt from what Dots lists alone; its sales are announced again only with --announce', async () => {
  const receiver = await startReceiver()
  const shop = await startService({ env: receiver.env, pace: DELIVERING })
  const links = [
    '/buy/tee?quantity=4&email=jane@example.com',
    '/buy/tee:2,mug:3?client_reference_id=ref-1&metadata_note=gift&utm_source=mail',
    '/buy/mug:2',
    '/buy/tee',
  ]
  const sales: Click[] = []
  for (const link of links) sales.push(await click(shop, link))
  for (const { checkoutId, session } of sales.slice(0, 3)) {
    await payQuietly(shop, session, { email: 'paid-with@example.com' })
    await shop.get(`/success?checkout=${checkoutId}`)
  }
  await expect.poll(() => receiver.distinctIds()).toBe(3)
  const before = await Promise.all(
    sales.map(async ({ checkoutId }) => lasting(await checkoutOf(shop, checkoutId))),
  )
  const bodies = new Map(receiver.received.map(({ id, body }) => [id, body]))
  await loseStore(shop)
  receiver.received.length = 0

  const run = await runBeside(shop, 'reconcile', ['--since', '7d'])
  expect(run).toMatchObject({ code: 0 })
  expect(run.stdout).toContain('4 sessions seen, 3 settled, 4 restored')
  expect(run.stdout).toContain('3 restored sales were complete before: not announced')
  const replica = await startReplica(shop, { pace: DELIVERING })
  const after = async () =>
    Promise.all(
      sales.map(async ({ checkoutId }) => {
        const checkout = await replica.services.store.checkouts.find(checkoutId)
        if (checkout === undefined) throw new Error(`${checkoutId} was not restored`)
        return checkout
      }),
    )
  const restored = await after()
  expect(restored.map(lasting)).toEqual(before.map((checkout, index) => ({ ...checkout, isHeld: index < 3 })))
  expect(restored.map(({ completedAt }) => completedAt !== null)).toEqual([true, true, true, false])
  expect(rows(shop, 'sales')).toHaveLength(4)
  await sleep(300)
  expect(receiver.received).toEqual([])

  const announcing = await runBeside(shop, 'reconcile', ['--since', '7d', '--announce'])
  expect(announcing.stdout).toContain('3 sales that were on hold will be announced')
  await expect.poll(() => receiver.distinctIds()).toBe(3)
  expect(receiver.received).toHaveLength(3)
  for (const { id, body } of receiver.received) {
    const { data, ...envelope } = bodies.get(id) ?? {}
    expect(body).toMatchObject({ type: envelope.type })
    const same = (of: unknown) => ({ ...Object(of), completed_at: undefined })
    expect(same(body.data)).toEqual(same(data))
  }
  // A second --announce sends nothing.
  await runBeside(shop, 'reconcile', ['--announce'])
  await sleep(300)
  expect(receiver.received).toHaveLength(3)
})

test('a store that is rebuilt with --announce announces at once', async () => {
  const receiver = await startReceiver()
  const shop = await startService({ env: receiver.env, pace: IDLE_JOBS })
  const { checkoutId, session } = await click(shop)
  await payQuietly(shop, session)
  await loseStore(shop)
  const run = await runBeside(shop, 'reconcile', ['--announce'])
  expect(run).toMatchObject({ code: 0 })
  await startReplica(shop, { pace: DELIVERING })
  await expect.poll(() => receiver.ids()).toEqual([`order_${checkoutId}`])
})

test('a buyer who pays after the loss of the store is announced without --announce', async () => {
  const receiver = await startReceiver()
  const shop = await startService({ env: receiver.env, pace: IDLE_JOBS })
  const { checkoutId, session } = await click(shop)
  await loseStore(shop)
  expect(await runBeside(shop, 'reconcile')).toMatchObject({ code: 0 })
  const replica = await startReplica(shop, { pace: DELIVERING })
  await payQuietly(shop, session)
  await fetch(`${replica.url}/success?checkout=${checkoutId}`)
  await expect.poll(() => receiver.ids()).toEqual([`order_${checkoutId}`])
})

test('it waits for the lease of the running sweep, says so, and then acquires it', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const { session } = await click(shop)
  await payQuietly(shop, session)
  const { leases } = shop.services.store
  await leases.acquire('sweep', 'a sweep', new Date(Date.now() + 60_000).toISOString())
  let ended = false
  const running = runBeside(shop, 'reconcile').finally(() => {
    ended = true
  })
  await sleep(300)
  expect(ended).toBe(false)
  expect(shop.sandbox.requests.filter(({ call }) => call === 'list')).toEqual([])
  await leases.release('sweep', 'a sweep')
  const { code, stderr } = await running
  expect(code).toBe(0)
  expect(stderr).toContain('Waiting for the running sweep')
  expect(rows(shop, 'leases')).toMatchObject([{ name: 'sweep', holder: null }])
})

test('each page is a line of progress', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const { session } = await click(shop)
  // Sessions that were made at Dots directly: a click each would take ten times as long.
  const make = () =>
    fetch(`${shop.sandbox.url}/v2/checkout-sessions`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`${CREDENTIALS.clientId}:${CREDENTIALS.apiKey}`)}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(session.asked),
    })
  const made = await Promise.all(Array.from({ length: 204 }, make))
  expect(made.every(({ ok }) => ok)).toBe(true)
  const { code, stderr } = await runBeside(shop, 'reconcile')
  expect(code).toBe(0)
  expect(stderr.match(/^\d+ sessions seen/gm)).toEqual([
    '100 sessions seen',
    '200 sessions seen',
    '205 sessions seen',
  ])
})

test('with an invalid catalog it still restores the orders, with skus as names', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const { checkoutId } = await click(shop, '/buy/tee?quantity=2')
  change(shop, 'delete from checkouts')
  const run = await runBeside(shop, 'reconcile', [], { CATALOG_PATH: '/nowhere.json' })
  expect(run).toMatchObject({ code: 0 })
  expect(run.stderr).toContain('named by their skus')
  expect((await checkoutOf(shop, checkoutId)).items).toEqual([
    { sku: 'tee', name: 'tee', quantity: 2, amount: 2500 },
  ])
})

test('--since takes a period and a time', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  await click(shop)
  for (const since of ['30m', '2026-11-01T00:00:00Z'])
    expect(await runBeside(shop, 'reconcile', ['--since', since])).toMatchObject({ code: 0 })
  expect(rowsOf(shop)).toHaveLength(1)
})

const WRONG = [
  ['--since', '7'],
  ['--since', 'yesterday'],
  ['--since', '-7d'],
  ['--since', '7w'],
  ['--since', '0d'],
  ['--since', '2026-13-45'],
  ['--since'],
  ['--sinc', '7d'],
  ['everything'],
]

test('a wrong command line ends with 2 and the usage', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  for (const words of WRONG) {
    const { code, stdout, stderr } = await runBeside(shop, 'reconcile', words)
    expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: '' })
    expect(stderr).toContain('npm run reconcile --')
    expect(stderr).not.toMatch(/\n\s+at /)
  }
  expect(shop.sandbox.requests).toEqual([])
})

test('what a person can fix is explained, ends with 1, and leaves the lease free', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  shop.sandbox.failNext({ status: 401, body: { message: 'upstream-words' } }, 1, 'list')
  const refused = await runBeside(shop, 'reconcile')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('dots-credentials-refused')
  expect(refused.stderr).not.toMatch(/upstream-words|\n\s+at /)
  expect(rows(shop, 'leases')).toMatchObject([{ holder: null }])
  const noStore = await runBeside(shop, 'reconcile', [], { DATABASE_URL: `sqlite:${shop.folder}` })
  expect(noStore).toMatchObject({ code: 1, stdout: '' })
  expect(noStore.stderr).toContain('The store that DATABASE_URL names failed')
  const missing = `${shop.folder}/nowhere.db`
  const noDatabase = await runBeside(shop, 'reconcile', [], { DATABASE_URL: `sqlite:${missing}` })
  expect(noDatabase).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(missing) })
  expect(existsSync(missing)).toBe(false)
  const noKey = await runBeside(shop, 'reconcile', [], { DOTS_API_KEY: '' })
  expect(noKey).toMatchObject({ code: 1, stdout: '' })
  expect(noKey.stderr).toContain('DOTS_API_KEY is required')
})

test('it explains its options', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  expect(await runBeside(shop, 'reconcile', ['--help'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('--announce'),
  })
})

test('it stops early on a signal, and ends with 1', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  await shop.services.store.leases.acquire('sweep', 'a sweep', new Date(Date.now() + 60_000).toISOString())
  const stop = new AbortController()
  const running = run('reconcile', [], { env: envOf(shop), signal: stop.signal })
  await sleep(100)
  stop.abort()
  expect(await running).toMatchObject({
    code: 1,
    stdout: 'Stopped early; run it again: 0 sessions seen, 0 settled, 0 restored\n',
  })
})

test('warnings are sentences, not JSON', async () => {
  const shop = await startService({ pace: IDLE_JOBS })
  const { checkoutId, session } = await click(shop)
  shop.sandbox.webhook = undefined
  await shop.sandbox.pay(session.id, { amountTotal: 1 })
  const { code, stderr } = await runBeside(shop, 'reconcile')
  expect(code).toBe(0)
  expect(stderr).toMatch(new RegExp(`^Error: .+ \\(checkout ${checkoutId}, .*amountPaid 1\\)$`, 'm'))
  expect(stderr).not.toContain('{')
})
