import fastifyEnv from '@fastify/env'
import Fastify, { type FastifyInstance } from 'fastify'
import { returnRoutes } from './checkout/return-routes.ts'
import { checkoutRoutes } from './checkout/routes.ts'
import { type Config, envOptions, validConfig } from './config.ts'
import { type EnvironmentOptions, readEnvironment } from './environment.ts'
import { browserIds } from './http/browser-id.ts'
import { clientIps } from './http/client-ip.ts'
import { errorHandler } from './http/error-handler.ts'
import { securityHeaders } from './http/headers.ts'
import { healthRoutes } from './http/health.ts'
import { knownPaths } from './http/known-paths.ts'
import { limits } from './http/limits.ts'
import { listeners } from './http/listeners.ts'
import { type LogOutput, stdoutLog } from './http/log-output.ts'
import { makeLogger, requestLogging } from './http/logging.ts'
import { requestChecks, serverOptions } from './http/server-options.ts'
import { draining } from './http/shutdown.ts'
import { webhookRoutes } from './orders/webhook-routes.ts'
import { openServices, type Services, type ServicesOptions } from './services.ts'
import type { Settings } from './settings.ts'
import { shopRoutes } from './shop/routes.ts'

export interface AppOptions extends Omit<ServicesOptions, 'log' | 'catalog'>, EnvironmentOptions {
  /** Where the log goes instead of stdout. */
  logDestination?: LogOutput
}

export interface App {
  app: FastifyInstance
  services: Services
}

/**
 * Builds the whole service from its environment, ready to listen. It registers all parts, in this order.
 *
 * @throws ConfigError, CatalogError, StoreError if the service cannot start with them; everything is closed again.
 */
export async function buildApp(environment: NodeJS.ProcessEnv, options: AppOptions = {}): Promise<App> {
  const output = options.logDestination ?? (await stdoutLog())
  const log = await makeLogger('info', output)
  // The app has to exist before its settings can be read, because its first plugin reads them.
  let config: Config | undefined
  const app = Fastify(serverOptions({ log, trustsProxy: (ip) => config?.trustsProxy(ip) ?? false }))
  try {
    config = await readConfig(app, environment, options)
    app.log.level = config.logLevel
    const services = await openServices(config, { ...options, log: app.log })
    // First, so that a process which is stopping says so before it waits for its jobs.
    await app.register(draining)
    app.addHook('onListen', async () => {
      services.dots.start()
      services.jobs.start()
    })
    let stopped: Promise<void> | undefined
    // Only begun: connections are refused from now on, not when the jobs have ended.
    app.addHook('preClose', async () => {
      stopped = services.stop()
      // It rejects where it is awaited.
      stopped.catch(() => undefined)
    })
    app.addHook('onClose', async () => {
      await stopped
      await services.close()
    })

    const { shop, dots, rateLimit, trustsProxy } = config
    const https = shop.publicUrl.startsWith('https:')
    await app.register(requestLogging)
    await app.register(securityHeaders, { https, allowHttpCheckout: dots.allowHttpCheckout })
    await app.register(errorHandler, { shop })
    await app.register(knownPaths)
    await app.register(clientIps, { trustsProxy })
    await app.register(listeners, { host: config.host })
    await app.register(limits, { rateLimit, trustsProxy })
    await app.register(requestChecks)
    await app.register(browserIds, { https })
    await app.register(healthRoutes, { ...services, logOutput: output })
    await app.register(shopRoutes, services)
    await app.register(checkoutRoutes, services)
    await app.register(returnRoutes, services)
    if (dots.webhookSecrets.length > 0) await app.register(webhookRoutes, services)
    return { app, services }
  } catch (error) {
    await app.close()
    throw error
  }
}

/** @throws ConfigError with every problem. */
async function readConfig(
  app: FastifyInstance,
  environment: NodeJS.ProcessEnv,
  options: EnvironmentOptions,
): Promise<Config> {
  const { texts, problems } = readEnvironment(environment, options)
  const [validation] = await Promise.allSettled([app.register(fastifyEnv, envOptions(texts))])
  return validConfig(problems, () => {
    if (validation.status === 'rejected') throw validation.reason
    return app.getEnvs<Settings>()
  })
}
