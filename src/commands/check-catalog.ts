import '../node-version.js'
import { parseArgs } from 'node:util'
import { readCatalog } from '../catalog/catalog.ts'
import { CatalogError, problemLine } from '../catalog/problems.ts'
import { ConfigError } from '../config.ts'
import { catalogPathOf, readEnvironment } from '../environment.ts'
import { command, type Io, processIo, UsageError } from './command.ts'

const USAGE = `npm run check-catalog [-- FILE]

Checks a catalog file as the service does: FILE, or the one at CATALOG_PATH.`

/** Prints every problem of a catalog file, a line each. */
export const main = command(USAGE, async (argv, io) => {
  const { positionals } = parseArgs({ args: argv, allowPositionals: true })
  if (positionals.length > 1) throw new UsageError('Name one file at the most.')
  const path = positionals[0] || configuredPath(io)
  try {
    const { size } = await readCatalog(path)
    io.out(`${path}: ${size} ${size === 1 ? 'product' : 'products'}, fine`)
    return 0
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    for (const problem of error.problems) io.err(problemLine(problem, path))
    return 1
  }
})

/** The path that the service would use. Other settings may be missing or wrong. */
function configuredPath({ env, dotenvPath = '' }: Io): string {
  const { texts, problems } = readEnvironment(env, { dotenvPath })
  const unreadable = problems.get(dotenvPath)
  if (unreadable !== undefined) throw new ConfigError([unreadable])
  return catalogPathOf(texts)
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), processIo())
