import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startReceiver, WEBHOOK_SECRET } from '../orders/receiver.ts'
import { openShop } from './shop-under-fire.ts'

const SALES = 1_000
const BUYERS_AT_A_TIME = 8
/** The process is killed when so many have paid. */
const KILLS_AT = [150, 300, 450, 600, 750]
/** Of every ten sales, in the order of payment: one whose webhooks are all lost, one whose webhooks come twice. */
const LOST = 3
const DOUBLED = 7
/** Of every twenty announcements one is refused at first. */
const REFUSED_EVERY = 20
/** The claims of a killed process run out after 20 s, the sweep's turn after 30 s. */
const AFTERMATH_MS = 60_000

test('a thousand sales in bad weather: each complete, none twice, none missed, each announced', async () => {
  const receiver = await startReceiver()
  const seen = new Set<string>()
  receiver.answer = ({ id }) => {
    const first = !seen.has(id)
    seen.add(id)
    return first && seen.size % REFUSED_EVERY === 0 ? 503 : 204
  }
  const shop = await openShop({ ...receiver.env, DOTS_WEBHOOK_SECRET: WEBHOOK_SECRET })
  const { sandbox } = shop
  sandbox.webhook = { url: `${shop.url}/webhooks/dots`, secret: WEBHOOK_SECRET }
  const counts = { paid: 0, lost: 0, doubled: 0, returned: 0, kills: 0 }
  const unpaidBefore = () => [...sandbox.sessions.values()].filter(({ status }) => status !== 'complete')

  let left = SALES
  let killing: Promise<void> | undefined
  async function buyer(): Promise<void> {
    while (left > 0) {
      left -= 1
      const session = await shop.click()
      const order = counts.paid
      counts.paid += 1
      const { delivery } = sandbox
      delivery.lose = order % 10 === LOST ? 1 : 0
      delivery.double = order % 10 === DOUBLED ? 1 : 0
      delivery.shuffle = true
      counts.lost += delivery.lose
      counts.doubled += delivery.double
      await sandbox.pay(session.id, { email: `buyer-${order}@example.com` })
      if (KILLS_AT.includes(counts.paid)) {
        counts.kills += 1
        killing = shop.killAndRestart()
      }
      // Half of the buyers close the tab: the halves lie across the lost ones, so that some are lost for good.
      if (Math.floor(order / 10) % 2 === 0) {
        await shop.comeBack(session)
        counts.returned += 1
      }
    }
  }
  await Promise.all(Array.from({ length: BUYERS_AT_A_TIME }, buyer))
  await killing
  await sandbox.eventsSettled()

  // Whose webhooks were lost and who never came back is found in Dots' list, by the command beside the service.
  const beforeReconcile = shop.completed().length
  const reconcile = await shop.npmRun('reconcile', '--', '--since', '1h')
  expect(reconcile, reconcile.output).toMatchObject({ code: 0 })
  const end = performance.now() + AFTERMATH_MS
  while (performance.now() < end && (shop.completed().length < SALES || receiver.distinctIds() < SALES))
    await sleep(200)

  const paid = [...sandbox.sessions.values()].filter(({ status }) => status === 'complete')
  const paidIds = paid.map(({ metadata }) => String(metadata?.checkout_id)).sort()
  console.log(
    [
      'A thousand sales in bad weather',
      `  sales                   ${SALES}`,
      `  paid at Dots            ${paid.length}`,
      `  complete                ${shop.completed().length} (${beforeReconcile} before the reconcile)`,
      `  announcements received  ${receiver.received.length}`,
      `  distinct webhook-ids    ${receiver.distinctIds()}`,
      `  kills                   ${counts.kills}`,
      `  webhooks lost           ${counts.lost} sales`,
      `  webhooks doubled        ${counts.doubled} sales`,
      `  buyers who came back    ${counts.returned}`,
      `  sessions never paid     ${unpaidBefore().length}`,
    ].join('\n'),
  )
  expect(counts).toEqual({ paid: SALES, lost: 100, doubled: 100, returned: 500, kills: 5 })
  expect(beforeReconcile).toBeLessThan(SALES)
  expect(shop.completed()).toEqual(paidIds)
  expect(shop.salesOf('tee')).toBe(SALES)
  expect([...seen].sort()).toEqual(paidIds.map((id) => `order_${id}`).sort())
  expect(receiver.received.filter(({ verified }) => !verified)).toEqual([])
  // One announcement, whatever happened: what came twice is the same message, to the byte.
  const bodies = new Map(receiver.received.map(({ id, text }) => [id, text]))
  for (const { id, text } of receiver.received) expect(text).toBe(bodies.get(id))
}, 240_000)
