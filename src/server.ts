import { buildApp } from './app.ts'
import { CatalogError } from './catalog/catalog.ts'
import { type Config, ConfigError, loadConfig } from './config.ts'
import { makeLogger } from './logging.ts'
import { startWarnings } from './start-warnings.ts'
import { stopOnSignals } from './stop-on-signals.ts'
import { StoreError } from './store/store.ts'

/** The process: reads the settings, listens, and stops when it is told to. */
async function main(): Promise<void> {
  let config: Config
  try {
    config = await loadConfig(process.env, { dotenvPath: '.env' })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    makeLogger('info').fatal({ problems: error.problems }, 'the settings are not complete; see .env.example')
    process.exitCode = 1
    return
  }
  try {
    const app = await buildApp(config)
    stopOnSignals(app)
    process.on('SIGHUP', () => void app.catalog.reload())
    await app.listen({ host: config.host, port: config.port })
    app.log.info({ shop: config.publicUrl, products: app.catalog.current.size }, 'the shop is open')
    for (const warning of startWarnings(config)) app.log.warn(warning)
  } catch (error) {
    makeLogger(config.logLevel).fatal(...startFailure(error))
    process.exitCode = 1
  }
}

/** What a person who deploys can mend is said in words; a stack means a bug. */
function startFailure(error: unknown): [facts: object, message: string] {
  if (error instanceof CatalogError) return [{ problems: error.problems }, 'the catalog cannot be used']
  if (error instanceof StoreError)
    return [{ code: error.code }, 'the store named by DATABASE_URL cannot be opened']
  if (
    error instanceof Error &&
    'code' in error &&
    'syscall' in error &&
    (error.syscall === 'listen' || error.syscall === 'getaddrinfo')
  ) {
    return [{ code: error.code }, 'HOST and PORT cannot be listened on']
  }
  return [{ err: error }, 'the service could not start']
}

await main()
