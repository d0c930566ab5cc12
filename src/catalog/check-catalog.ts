import { settingTexts } from '../config.ts'
import { CatalogError, readCatalog } from './catalog.ts'

// By the service's own rules: otherwise this could check another file than the one that is sold from.
const unreadable: string[] = []
const { CATALOG_PATH = 'catalog.json' } = settingTexts(process.env, '.env', unreadable)
const path = process.argv[2] || CATALOG_PATH

try {
  if (process.argv[2] === undefined && unreadable.length > 0) {
    throw new CatalogError(unreadable.map((message) => ({ pointer: '.env', message })))
  }
  const { size } = await readCatalog(path)
  console.log(`${path}: ${size} ${size === 1 ? 'product' : 'products'}, fine`)
} catch (error) {
  if (!(error instanceof CatalogError)) throw error
  const lines = error.problems.map(({ pointer, message }) => `${pointer || path}  ${message}\n`)
  process.stderr.write(lines.join(''))
  process.exitCode = 1
}
