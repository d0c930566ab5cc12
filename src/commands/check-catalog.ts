import '../node-version.js'
import { parseArgs } from 'node:util'
import { readCatalog } from '../catalog/catalog.ts'
import { CatalogError, printable, problemLine } from '../catalog/problems.ts'
import { type Product, quantityLimits, salesLimit } from '../catalog/product.ts'
import { ConfigError } from '../config.ts'
import { catalogPathOf, readEnvironment } from '../environment.ts'
import { formatMoney } from '../pages/money.ts'
import { command, type Io, processIo, UsageError } from './command.ts'

const USAGE = `npm run check-catalog [-- FILE]

Checks a catalog file as the service does: FILE, or the one at CATALOG_PATH. Lists its products with their prices as buyers
see them, or everything that is wrong.`

/** Cheaper products are rare, and dollars written as cents are not. */
const LOW_AMOUNT_CENTS = 100

/** Lists the products of a catalog file, or prints every problem, a line each. */
export const main = command(USAGE, async (argv, io) => {
  const { positionals } = parseArgs({ args: argv, allowPositionals: true })
  if (positionals.length > 1) throw new UsageError('Name one file at the most.')
  const path = positionals[0] || configuredPath(io)
  try {
    const { products, size } = await readCatalog(path)
    const width = products.reduce((most, { sku }) => Math.max(most, sku.length), 0)
    for (const [index, product] of products.entries()) {
      io.out(productLine(product, Math.min(width, MAX_SKU_WIDTH)))
      const { sku, amount } = product
      if (amount < LOW_AMOUNT_CENTS) {
        const message = `costs ${priceOf(product)}. Amounts are cents: ${amount} dollars are ${amount * 100}`
        io.err(`Warning: ${problemLine({ pointer: `/products/${index}/amount`, sku, message }, path)}`)
      }
    }
    io.out(`${path}: ${size} ${size === 1 ? 'product' : 'products'}, fine`)
    return 0
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    for (const problem of error.problems) io.err(problemLine(problem, path))
    return 1
  }
})

/** Longer skus push the rest of their line to the right. */
const MAX_SKU_WIDTH = 24

/** `tee-black-m      $25.00  Black T-shirt, M (1 to 10)`, with what keeps it from being sold. */
function productLine(product: Product, width: number): string {
  const { sku, name, active, starts_at, ends_at } = product
  const { minimum, maximum } = quantityLimits(product)
  const limit = salesLimit(product)
  const notes = [
    product.adjustable_quantity && (minimum === maximum ? `only ${minimum}` : `${minimum} to ${maximum}`),
    !active && 'off sale',
    starts_at && `from ${starts_at}`,
    ends_at && `until ${ends_at}`,
    limit && `${limit} sales`,
  ].filter(Boolean)
  const line = `${sku.padEnd(width)}  ${priceOf(product).padStart(10)}  ${name}`
  return printable(notes.length === 0 ? line : `${line} (${notes.join(', ')})`)
}

function priceOf({ amount, currency }: Product): string {
  return formatMoney(amount, currency, 'en-US')
}

/** The path that the service would use. Other settings may be missing or wrong. */
function configuredPath({ env, dotenvPath = '' }: Io): string {
  const { texts, problems } = readEnvironment(env, { dotenvPath })
  const unreadable = problems.get(dotenvPath)
  if (unreadable !== undefined) throw new ConfigError([unreadable])
  return catalogPathOf(texts)
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), processIo())
