import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { Catalog, CatalogError, readCatalog } from '../catalog/catalog.ts'
import { salesLimit } from '../catalog/product.ts'
import { soldItems } from '../checkout/sold-items.ts'
import type { Config } from '../config.ts'
import { DotsClient } from '../dots/client.ts'
import { linkPath } from '../links/link-builder.ts'
import { processDueEvents } from '../orders/dots-events.ts'
import { giveUpLost, type WalkProgress, walkSessions } from '../orders/session-walk.ts'
import { SWEEP_TURN, type Sweep, takeTurn } from '../orders/sweep-turn.ts'
import { openStore } from '../store/open-store.ts'
import { parseWords, runCommand, UsageError } from './command.ts'
import { parseSince } from './period.ts'

const USAGE = `npm run reconcile -- --since 7d [--announce]

Asks Dots for every session since then, settles what it finds, and rebuilds what the store has lost. Runs beside the
service: it waits for the sweep's turn, then takes it.

  --since     30m, 24h, 7d, or a time such as 2026-11-01T00:00 (UTC where it names no zone; default 7d)
  --announce  announce restored sales too that were complete before, and every other one since then whose announcement
              is held back; receivers know them by their webhook-id`

/** Faster than the sweep, which nobody waits for, and still gentle: five calls a second. */
const CALLS_PER_MINUTE = 300
const ASK_FOR_TURN_MS = 1_000

await runCommand(USAGE, async (config) => {
  const { values } = parseWords({
    options: { since: { type: 'string', default: '7d' }, announce: { type: 'boolean', default: false } },
  })
  const since = parseSince(values.since, new Date())
  if (since === undefined) throw new UsageError('--since takes 30m, 24h, 7d, or a time.')
  await reconcile(config, since, values.announce)
})

async function reconcile(config: Config, since: Date, announceRestored: boolean): Promise<void> {
  const catalog = await catalogOrNone(config.catalogPath)
  const store = await openStore(config.databaseUrl)
  const dots = new DotsClient(config.dots)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const publicUrl = new URL(config.publicUrl)
  const deps: Sweep = {
    store,
    dots,
    settle: {
      checkouts: store.checkouts,
      // On stderr, so that the command's own words stay readable in a pipe.
      log: pino({ level: 'warn', base: null }, pino.destination({ dest: 2, sync: true })),
      now: () => new Date(),
      salesLimit: (sku) => salesLimit(catalog.find(sku)),
      announceAs: config.fulfillment === undefined ? 'held' : 'pending',
      // The running service finds it in the outbox within seconds.
      announced: () => {},
    },
    publicUrl: config.publicUrl,
    soldItems: (cart, amountTotal) => soldItems(catalog, cart, amountTotal),
    linkTo: (cart) => linkPath(cart, publicUrl),
    holder: `reconcile ${randomUUID()}`,
    callsPerMinute: CALLS_PER_MINUTE,
  }
  try {
    await waitForTurn(deps, stop.signal)
    const walk = { since: since.toISOString(), startedAt: new Date().toISOString() }
    let last: Readonly<WalkProgress> = { sessions: 0, settled: 0, restored: 0, held: 0, released: 0 }
    const done = await walkSessions(deps, walk, stop.signal, {
      announceRestored,
      progress: (progress) => {
        last = progress
        console.error(progressLine(progress))
      },
    })
    if (done) {
      await processDueEvents(deps, stop.signal)
      await giveUpLost(deps, walk)
    }
    console.log(`${done ? 'Done' : 'Stopped early; run it again'}: ${progressLine(last)}`)
    if (last.released > 0) console.log(`${last.released} held back sales will be announced within seconds.`)
    if (last.held > 0) {
      console.log(
        `${last.held} restored sales were complete before: not announced. Run again with --announce to announce them.`,
      )
    }
    if (!done) process.exitCode = 1
  } finally {
    await store.leases.release(SWEEP_TURN, deps.holder)
    await dots.close()
    await store.close()
  }
}

async function waitForTurn(deps: Sweep, signal: AbortSignal): Promise<void> {
  let told = false
  while (!signal.aborted && !(await takeTurn(deps))) {
    if (!told) console.error('Waiting for the running sweep to end …')
    told = true
    await sleep(ASK_FOR_TURN_MS)
  }
}

function progressLine({ sessions, settled, restored }: Readonly<WalkProgress>): string {
  return `${sessions} sessions seen, ${settled} settled, ${restored} restored`
}

/** Names and prices of restored sales come from it where it is there; without it they are known by their skus. */
async function catalogOrNone(path: string): Promise<Catalog> {
  try {
    return await readCatalog(path)
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    console.error(`The catalog ${path} cannot be used; restored sales are named by their skus.`)
    return new Catalog([])
  }
}
