import type { Product } from '../catalog/product.ts'

/**
 * How many sessions each product on sale should have. One with a `warm` of its own: what a minute takes, but one at least
 * and `warm` at most. Any other only where there is a `limit` of all, and what a minute takes.
 */
export function wantedSessions(
  onSale: ReadonlySet<Product>,
  perMinute: ReadonlyMap<Product, number>,
  limit: number,
): Map<Product, number> {
  const wanted = new Map<Product, number>()
  for (const product of onSale) {
    const { warm = 0 } = product
    const demand = perMinute.get(product) ?? 0
    if (warm > 0) wanted.set(product, Math.min(Math.max(demand, 1), warm))
    else if (limit > 0 && demand > 0) wanted.set(product, demand)
  }
  return limit > 0 ? shared(wanted, limit) : wanted
}

/**
 * Shares `limit` sessions among the products by their demand: the same part of it for each, rounded down, and what is left
 * to those that the rounding has cost most. Where there are enough, a product with any demand gets one at least.
 */
function shared<Item>(demand: ReadonlyMap<Item, number>, limit: number): Map<Item, number> {
  const entries = [...demand].filter(([, wanted]) => wanted > 0).sort(([, a], [, b]) => b - a)
  const total = entries.reduce((sum, [, wanted]) => sum + wanted, 0)
  if (total <= limit) return new Map(entries)
  const served = entries.slice(0, limit)
  const rest = served.reduce((sum, [, wanted]) => sum + wanted - 1, 0)
  const room = limit - served.length
  const shares = served.map(([item, wanted]) => {
    const exact = rest === 0 ? 0 : ((wanted - 1) * room) / rest
    return { item, count: 1 + Math.floor(exact), lost: exact - Math.floor(exact) }
  })
  let left = limit - shares.reduce((sum, { count }) => sum + count, 0)
  for (const share of [...shares].sort((a, b) => b.lost - a.lost)) {
    if (left <= 0) break
    share.count += 1
    left -= 1
  }
  return new Map(shares.map(({ item, count }) => [item, count]))
}
