import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { deploy } from '../operations/server-process.ts'
import { startReceiver, WEBHOOK_SECRET } from './receiver.ts'
import { change, rows } from './sale.ts'

/** The claim of an ended process on an event runs for 20 s; the test does not wait for it. */
const CLAIM_IS_OVER = "update events set next_attempt_at = ''"

async function killedAtAnEvent() {
  const receiver = await startReceiver()
  const shop = await deploy()
  const { sandbox } = shop
  const settings = { ...receiver.env, DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET }
  const server = await shop.start(settings)
  expect((await shop.get('/buy/tee')).status).toBe(302)
  const [session] = [...sandbox.sessions.values()]
  if (session === undefined) throw new Error('no session')
  const id = String(session.metadata?.checkout_id)
  sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  const restart = () => shop.start(settings)
  const states = () => rows(shop, 'checkouts').map(({ state }) => state)
  return { receiver, shop, sandbox, server, session, id, restart, states }
}

test('killed between the commit of an event and its answer: settled after the restart, once', async () => {
  const { receiver, shop, sandbox, server, session, id, restart, states } = await killedAtAnEvent()
  sandbox.hold()
  const sent = sandbox.sendEvent(session.id, { id: 'msg_1' }).catch(() => 'no answer')
  await expect.poll(() => rows(shop, 'events').length, { interval: 5 }).toBe(1)
  server.child.kill('SIGKILL')
  await server.ended
  // Within 700 ms of its arrival an event is not answered while Dots is silent.
  expect(await sent).toBe('no answer')
  sandbox.release()
  const { webhook } = sandbox
  sandbox.webhook = undefined
  await sandbox.pay(session.id)
  sandbox.webhook = webhook
  expect(states()).toEqual(['open'])
  await restart()
  change(shop, CLAIM_IS_OVER)
  // The sender had no answer, so the same event comes again.
  expect(await sandbox.sendEvent(session.id, { id: 'msg_1' })).toBe(200)
  await expect.poll(states).toEqual(['complete'])
  await expect.poll(() => receiver.ids()).toEqual([`order_${id}`])
  expect(rows(shop, 'events')).toHaveLength(1)
  expect(rows(shop, 'sales')).toHaveLength(1)
})

test('killed between the settlement and the announcement: announced after the restart', async () => {
  const { receiver, shop, sandbox, server, session, id, restart, states } = await killedAtAnEvent()
  receiver.answer = () => 'silence'
  await sandbox.pay(session.id)
  await expect.poll(() => receiver.received.length).toBe(1)
  expect(states()).toEqual(['complete'])
  server.child.kill('SIGKILL')
  await server.ended
  receiver.answer = () => 204
  change(shop, "update announcements set next_attempt_at = ''")
  await restart()
  await expect.poll(() => receiver.received.length).toBe(2)
  expect(new Set(receiver.ids())).toEqual(new Set([`order_${id}`]))
  await expect.poll(() => rows(shop, 'announcements')[0]?.state).toBe('delivered')
})

test('killed while it waits for a session: the click is found again in what Dots lists', async () => {
  const { shop, sandbox, server, restart } = await killedAtAnEvent()
  sandbox.hold()
  const lost = shop.get('/buy/tee?quantity=2').catch(() => undefined)
  await expect.poll(() => sandbox.sessions.size, { interval: 5 }).toBe(2)
  server.child.kill('SIGKILL')
  await Promise.all([server.ended, lost])
  sandbox.release()
  const session = [...sandbox.sessions.values()].at(-1)
  const id = String(session?.metadata?.checkout_id)
  const database = new DatabaseSync(shop.databasePath, { timeout: 5_000 })
  const state = () => database.prepare('select state, session_id from checkouts where id = ?').get(id)
  expect(state()).toBeUndefined()
  await restart()
  await expect.poll(state, { timeout: 30_000 }).toEqual({ state: 'open', session_id: session?.id })
  database.close()
})
