import type { Dispatcher } from 'undici'
import type { Catalog } from './catalog/catalog.ts'
import { fixedCatalog, openCatalog } from './catalog/live-catalog.ts'
import { checkoutService } from './checkout/open-checkout.ts'
import { statusService } from './checkout/status.ts'
import { unsavedCheckouts } from './checkout/unsaved-checkouts.ts'
import { warmCheckouts } from './checkout/warm-checkouts.ts'
import type { Config } from './config.ts'
import { type DotsClientOptions, dotsClient } from './dots/client.ts'
import type { Log } from './errors.ts'
import { backfillService } from './orders/backfill.ts'
import { deliveryService } from './orders/deliveries.ts'
import { eventService } from './orders/events.ts'
import { backgroundJobs, JOBS_PACE, type JobsPace } from './orders/jobs.ts'
import { sweepLease } from './orders/lease.ts'
import { settleService } from './orders/settle.ts'
import { sweepService } from './orders/sweep.ts'
import { openStore } from './store/open-store.ts'
import type { StoreOptions } from './store/store.ts'

export interface ServicesOptions {
  log: Log
  now?: () => Date
  /** A monotonic clock, in milliseconds, for what has to last its length when the clock of the machine is set. */
  clock?: () => number
  /** How often the background jobs run, for tests and commands. */
  pace?: Partial<JobsPace>
  /** Other timeouts and limits for the calls to Dots, for tests. */
  dots?: Partial<Omit<DotsClientOptions, 'clock'>>
  /** Used instead of the file at CATALOG_PATH, by commands that also work without a valid file. */
  catalog?: Catalog
  /** How the database is opened, by commands and tests. */
  storeOptions?: Omit<StoreOptions, 'now'>
  /** Makes what takes the requests to Dots and to receivers instead of network connections, for the simulation. */
  dispatcher?: () => Dispatcher
}

export type Services = Awaited<ReturnType<typeof openServices>>

/**
 * Creates each part of the service once, for the service, its commands and its tests. No job runs before `jobs.start()`.
 *
 * @throws CatalogError, StoreError if the catalog or the store cannot be opened; everything is closed again.
 */
export async function openServices(config: Config, options: ServicesOptions) {
  const { log, now = () => new Date(), clock = () => performance.now() } = options
  const pace = { ...JOBS_PACE, ...options.pace }
  await using opened = new AsyncDisposableStack()
  const catalog = options.catalog
    ? fixedCatalog(options.catalog, log)
    : opened.adopt(await openCatalog(config.catalogPath, { log, now }), (live) => live.close())
  const store = opened.adopt(await openStore(config.databaseUrl, { ...options.storeOptions, now }), (one) =>
    one.close(),
  )
  const dots = opened.adopt(
    dotsClient({
      ...config.dots,
      proxy: config.proxy,
      dispatcher: options.dispatcher?.(),
      ...options.dots,
      log,
      now,
      clock,
    }),
    (client) => client.close(),
  )

  const deliveries = deliveryService({
    fulfillment: config.fulfillment,
    proxy: config.proxy,
    store,
    log,
    now,
    clock,
    everyMs: pace.deliverEveryMs,
    retrySeconds: pace.retrySeconds,
    dispatcher: options.dispatcher?.(),
  })
  const settle = settleService({ config, catalog, store, deliveries, now })
  const events = eventService({ store, dots, settle, log, now })
  const lease = sweepLease({ store, now, callsPerMinute: pace.callsPerMinute })
  const backfill = backfillService({ config, catalog, store, dots, settle, lease, log, now })
  const sweep = sweepService({ store, dots, settle, lease, backfill, log, now, clock })
  const warm = warmCheckouts({ config, catalog, store, dots, log, now, clock })
  const jobs = backgroundJobs({ deliveries, events, sweep, makeWarm: warm.make, log, pace })

  const unsaved = unsavedCheckouts()
  const status = statusService({ dots, store, settle, unsaved, clock })
  const checkout = checkoutService({ config, dots, store, status, unsaved, warm, now })

  const owned = opened.move()
  return {
    config,
    now,
    catalog,
    store,
    dots,
    events,
    lease,
    backfill,
    jobs,
    warm,
    status,
    checkout,
    /** Stops the background jobs. A running sweep is aborted: the next process continues at its cursor. */
    async stop(): Promise<void> {
      dots.abort(['background'])
      await jobs.stop()
    },
    /** Closes everything in the reverse order. */
    close: () => owned.disposeAsync(),
  }
}
