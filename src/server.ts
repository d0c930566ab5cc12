import './node-version.js'
import { setFlagsFromString } from 'node:v8'
import { buildApp } from './app.ts'
import { readVersion } from './catalog/catalog.ts'
import { CatalogError, problemLine } from './catalog/problems.ts'
import { ConfigError, configWarnings } from './config.ts'
import { catalogPathOf, readEnvironment } from './environment.ts'
import { makeLogger } from './http/logging.ts'
import { stopOnSignals } from './http/shutdown.ts'
import { databasePath } from './store/open-store.ts'
import { StoreError } from './store/store.ts'

const DOTENV_PATH = '.env'

// V8 takes what a click needs while it waits for Dots for long-lived, and makes it in the old generation at once: marking and
// sweeping that take a tenth of what a click costs.
setFlagsFromString('--no-allocation-site-pretenuring')

// The process: reads the configuration, listens, reloads the catalog on SIGHUP, and stops on SIGTERM and SIGINT.
try {
  const { app, services } = await buildApp(process.env, { dotenvPath: DOTENV_PATH })
  const { config, catalog, dots } = services
  stopOnSignals(app, { abortCalls: () => dots.abort() })
  process.on('SIGHUP', () => void catalog.reload())
  await app.listen({ host: config.host, port: config.port })
  const details = {
    publicUrl: config.shop.publicUrl,
    products: catalog.current.size,
    database: databasePath(config.databaseUrl),
  }
  app.log.info({ event: 'server.listening', ...details }, 'server listening')
  for (const { event, message } of configWarnings(config)) app.log.warn({ event }, message)
} catch (error) {
  const log = await makeLogger('info')
  log.fatal(...startFailure(error instanceof ConfigError ? await withCatalogProblems(error) : error))
  process.exitCode = 1
}

/** The problems of the settings and those of the catalog, so that one start shows all that has to be mended. */
async function withCatalogProblems({ problems }: ConfigError): Promise<ConfigError> {
  const path = catalogPathOf(readEnvironment(process.env, { dotenvPath: DOTENV_PATH }).texts)
  const { problems: inCatalog = [] } = await readVersion(path)
  return new ConfigError([...problems, ...inCatalog.map((problem) => problemLine(problem, path))])
}

/** A problem that the operator can fix is logged as a sentence; anything else is a bug and is logged with its stack. */
function startFailure(error: unknown): [fields: object, message: string] {
  if (error instanceof ConfigError) {
    return [{ event: 'config.invalid', problems: error.problems }, 'invalid configuration; see .env.example']
  }
  if (error instanceof CatalogError) {
    const fields = { event: 'catalog.invalid', problems: error.problems }
    return [fields, 'invalid catalog; the service cannot start']
  }
  if (error instanceof StoreError) {
    const message = ['cannot open the store that DATABASE_URL names', error.explanation]
      .filter(Boolean)
      .join(': ')
    return [{ event: 'store.open.failed', code: error.code }, message]
  }
  if (error instanceof Error && 'code' in error && 'syscall' in error) {
    if (error.syscall === 'listen' || error.syscall === 'getaddrinfo') {
      return [{ event: 'server.listen.failed', code: error.code }, 'cannot listen on HOST:PORT']
    }
  }
  return [{ event: 'server.start.failed', err: error }, 'the service could not start']
}
