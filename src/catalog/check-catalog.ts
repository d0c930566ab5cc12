import { existsSync } from 'node:fs'

import { CatalogError, readCatalog } from './catalog.ts'

// The service reads `.env` too: without it, this would check another file than the one that is sold from.
if (existsSync('.env')) process.loadEnvFile('.env')

const path = process.argv[2] || process.env.CATALOG_PATH || 'catalog.json'

try {
  const { size } = await readCatalog(path)
  console.log(`${path}: ${size} ${size === 1 ? 'product' : 'products'}, fine`)
} catch (error) {
  if (!(error instanceof CatalogError)) throw error
  const lines = error.problems.map(({ pointer, message }) => `${pointer || path}  ${message}\n`)
  process.stderr.write(lines.join(''))
  process.exitCode = 1
}
