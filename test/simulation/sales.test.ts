import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { counts } from '../counts.ts'
import { startReceiver, WEBHOOK_SECRET } from '../orders/receiver.ts'
import { openShop } from './killable-shop.ts'

const SALES = counts(1_000, 100)
const BUYERS_AT_A_TIME = 8
/** The process is killed as often, at equal distances within the first three quarters of the payments. */
const KILLS = counts(5, 3)
/** Of every ten sales, in the order of payment: one whose webhooks are all lost, one whose webhooks come twice. */
const LOST = 3
const DOUBLED = 7
/** Of every twenty announcements one is refused at first. */
const REFUSED_EVERY = 20
/** The claims of a killed process run out after 20 s, the sweep's lease after 30 s. */
const MAX_SETTLING_MS = 60_000

test(`${SALES} sales with kills, lost and repeated webhooks: each complete once, each announced once`, async () => {
  const receiver = await startReceiver()
  const seen = new Set<string>()
  receiver.answer = ({ id }) => {
    const isFirst = !seen.has(id)
    seen.add(id)
    return isFirst && seen.size % REFUSED_EVERY === 0 ? 503 : 204
  }
  const shop = await openShop({ ...receiver.env, DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET })
  const { sandbox } = shop
  sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  const done = { paid: 0, lost: 0, doubled: 0, returned: 0, kills: 0 }
  const unpaid = () => [...sandbox.sessions.values()].filter(({ status }) => status !== 'complete')

  let left = SALES
  let killing: Promise<void> | undefined
  async function buyer(): Promise<void> {
    while (left > 0) {
      left -= 1
      const session = await shop.click()
      const order = done.paid
      done.paid += 1
      const { delivery } = sandbox
      delivery.lose = order % 10 === LOST ? 1 : 0
      delivery.double = order % 10 === DOUBLED ? 1 : 0
      delivery.shuffle = true
      done.lost += delivery.lose
      done.doubled += delivery.double
      await sandbox.pay(session.id, { email: `buyer-${order}@example.com` })
      if (done.kills < KILLS && done.paid === Math.floor(((done.kills + 1) * SALES * 0.75) / KILLS)) {
        done.kills += 1
        killing = shop.killAndRestart()
      }
      // Half of the buyers close the tab, some of those without webhooks among them.
      if (Math.floor(order / 10) % 2 === 0) {
        await shop.comeBack(session)
        done.returned += 1
      }
    }
  }
  await Promise.all(Array.from({ length: BUYERS_AT_A_TIME }, buyer))
  await killing
  await sandbox.eventsSettled()

  // A sale without webhooks whose buyer never came back is found in the list of Dots, by the command.
  const beforeReconcile = shop.completed().length
  const reconcile = await shop.npmRun('reconcile', '--', '--since', '1h')
  expect(reconcile, reconcile.output).toMatchObject({ code: 0 })
  const end = performance.now() + MAX_SETTLING_MS
  while (performance.now() < end && (shop.completed().length < SALES || receiver.distinctIds() < SALES))
    await sleep(200)

  const paid = [...sandbox.sessions.values()].filter(({ status }) => status === 'complete')
  const paidIds = paid.map(({ metadata }) => String(metadata?.checkout_id)).sort()
  console.log(
    [
      `${SALES} sales with kills, lost and repeated webhooks`,
      `  paid at Dots            ${paid.length}`,
      `  complete                ${shop.completed().length} (${beforeReconcile} before the reconcile)`,
      `  announcements received  ${receiver.received.length}`,
      `  distinct webhook-ids    ${receiver.distinctIds()}`,
      `  kills                   ${done.kills}`,
      `  webhooks lost           ${done.lost} sales`,
      `  webhooks doubled        ${done.doubled} sales`,
      `  buyers who came back    ${done.returned}`,
      `  sessions never paid     ${unpaid().length}`,
    ].join('\n'),
  )
  expect(done).toEqual({
    paid: SALES,
    lost: SALES / 10,
    doubled: SALES / 10,
    returned: SALES / 2,
    kills: KILLS,
  })
  expect(beforeReconcile).toBeLessThan(SALES)
  expect(shop.completed()).toEqual(paidIds)
  expect(shop.salesOf('tee')).toBe(SALES)
  expect([...seen].sort()).toEqual(paidIds.map((id) => `order_${id}`).sort())
  expect(receiver.received.filter(({ verified }) => !verified)).toEqual([])
  // What was announced twice is the same message, to the byte.
  const bodies = new Map(receiver.received.map(({ id, text }) => [id, text]))
  for (const { id, text } of receiver.received) expect(text).toBe(bodies.get(id))
}, 240_000)
