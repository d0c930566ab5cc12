import { type Click, checkoutOf, click } from '../checkout/clicks.ts'
import type { Service, ServiceOptions } from '../service.ts'
import type { Receiver } from './receiver.ts'
import { startWithWebhook } from './sale.ts'

/** A cart and a buyer with all that a link can say of them. */
export const CLICK_PATH =
  '/buy/tee:2,mug:3?email=asked@example.com&client_reference_id=ref-1&metadata_note=gift&utm_source=mail'

/** One sale, settled by its events, in a shop that announces to `receiver`. */
export async function sell(
  receiver: Pick<Receiver, 'env'>,
  { path = '/buy/tee', ...options }: ServiceOptions & { path?: string } = {},
): Promise<Click & { shop: Service }> {
  const shop = await startWithWebhook({ ...options, env: { ...receiver.env, ...options.env } })
  const sale = await click(shop, path)
  await shop.sandbox.pay(sale.session.id, { email: 'paid-with@example.com' })
  await shop.sandbox.eventsSettled()
  const { state } = await checkoutOf(shop, sale.checkoutId)
  if (state !== 'complete') throw new Error(`the sale is ${state}`)
  return { ...sale, shop }
}
