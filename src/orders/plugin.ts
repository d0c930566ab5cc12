import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { Agent } from 'undici'
import { isDotsError } from '../errors.ts'
import type { Cart } from '../links/cart.ts'
import type { SoldItem } from '../store/checkout.ts'
import { processDueEvents } from './dots-events.ts'
import { deliverAnnouncements } from './fulfilment.ts'
import { Loop } from './loop.ts'
import type { SettleCheckout } from './settle-checkout.ts'
import { sweep } from './sweep.ts'
import type { Sweep } from './sweep-turn.ts'
import { webhookRoutes } from './webhook-routes.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What every settlement needs, with the logger of whoever settles. */
    settle: SettleCheckout
  }
}

/** How fast the work behind the shop goes. The defaults are for production; tests have less time. */
export interface OrdersPace {
  sweepEveryMs: number
  eventsEveryMs: number
  deliverEveryMs: number
  /** Most calls to Dots in a minute that the sweep makes. */
  callsPerMinute: number
  /** Seconds between the attempts to announce an order. */
  retrySeconds?: readonly number[]
}

export const ORDERS_PACE: OrdersPace = {
  sweepEveryMs: 60_000,
  eventsEveryMs: 5_000,
  deliverEveryMs: 5_000,
  callsPerMinute: 60,
}

/** What the answers of receivers have when the service stops; a platform kills after ten seconds. */
const LAST_ANSWERS_MS = 2_000

export interface OrdersOptions {
  webhookSecrets: readonly string[]
  fulfillment: { readonly url: string; readonly secrets: readonly string[] } | undefined
  publicUrl: string
  now: () => Date
  salesLimit: (sku: string) => number | undefined
  soldItems: (cart: Cart, amountTotal: number) => SoldItem[]
  linkTo: (cart: Cart) => string
  pace?: Partial<OrdersPace>
}

/** Everything that makes a sale known without the buyer: webhooks in, the sweep, announcements out. */
export const ordersPlugin = fp<OrdersOptions>(
  async (app, options) => {
    const { now, fulfillment } = options
    const pace = { ...ORDERS_PACE, ...options.pace }
    const loops: Loop[] = []

    const settle: SettleCheckout = {
      checkouts: app.store.checkouts,
      log: app.log,
      now,
      salesLimit: options.salesLimit,
      announceAs: fulfillment === undefined ? 'held' : 'pending',
      announced: () => delivery?.wake(),
    }
    app.decorate('settle', settle)
    const deps: Sweep = {
      store: app.store,
      dots: app.dots,
      settle,
      publicUrl: options.publicUrl,
      soldItems: options.soldItems,
      linkTo: options.linkTo,
      holder: `service ${randomUUID()}`,
      callsPerMinute: pace.callsPerMinute,
    }

    const agent = new Agent({ connections: 8, headersTimeout: 15_000, bodyTimeout: 15_000 })
    const delivery =
      fulfillment === undefined
        ? undefined
        : new Loop({
            name: 'fulfilment',
            everyMs: pace.deliverEveryMs,
            log: app.log,
            round: (signal) =>
              deliverAnnouncements(
                {
                  ...fulfillment,
                  outbox: app.store.outbox,
                  log: app.log,
                  now,
                  random: Math.random,
                  dispatcher: agent,
                  ...(pace.retrySeconds !== undefined && { retrySeconds: pace.retrySeconds }),
                },
                signal,
              ),
          })
    if (delivery !== undefined) loops.push(delivery)
    loops.push(
      new Loop({
        name: 'events',
        everyMs: pace.eventsEveryMs,
        log: app.log,
        round: (signal) => processDueEvents(deps, signal),
      }),
      new Loop({
        name: 'sweep',
        everyMs: pace.sweepEveryMs,
        log: app.log,
        round: async (signal) => {
          try {
            await sweep(deps, signal)
          } catch (error) {
            if (!isDotsError(error)) throw error
            app.log[error.logLevel](
              { ...error.details, code: error.code },
              'the sweep goes on when Dots answers',
            )
          }
        },
      }),
    )

    if (options.webhookSecrets.length > 0) {
      await app.register(async (scope) =>
        webhookRoutes(scope, { secrets: options.webhookSecrets, events: deps }),
      )
    }
    app.addHook('onListen', async () => {
      for (const loop of loops) loop.start()
    })
    app.addHook('preClose', async () => {
      const stopped = Promise.all(loops.map((loop) => loop.stop()))
      await Promise.race([stopped, sleep(LAST_ANSWERS_MS, undefined, { ref: false })])
      // A receiver that is still silent gets its order again after the restart.
      await agent.destroy()
      await stopped
    })
  },
  { name: 'orders', dependencies: ['store', 'dots'] },
)
