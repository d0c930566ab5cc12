import { salesLimit } from '../catalog/product.ts'
import { notForSale } from '../catalog/sale-errors.ts'
import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type CheckoutStore, StoreError } from '../store/store.ts'
import type { Click } from './click.ts'
import type { PricedCart } from './priced-cart.ts'

/**
 * Refuses what has been sold as often as it may: products with a limit, and signed links with a number of uses. Counts
 * completed sales, never clicks, since an open checkout may end unpaid. A store that cannot count stops no sale.
 *
 * @throws AppError product-sold-out, link-used-up
 */
export async function refuseSpent(
  priced: PricedCart,
  { terms, linkId }: Pick<Click, 'terms' | 'linkId'>,
  checkouts: CheckoutStore,
  log: Log,
): Promise<void> {
  try {
    for (const { product } of priced.lines) {
      const limit = salesLimit(product)
      if (limit !== undefined && (await checkouts.countSales(product.sku, limit)) >= limit) {
        throw notForSale(product, 'sold-out')
      }
    }
    if (terms.uses !== undefined && linkId !== undefined) {
      if ((await checkouts.countLinkSales(linkId)) >= terms.uses) throw new AppError('link-used-up')
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log.error({ code: error.code }, 'the store could not count sales; the sale goes on')
  }
}
