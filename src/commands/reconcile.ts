import '../node-version.js'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Catalog, readCatalog } from '../catalog/catalog.ts'
import { CatalogError } from '../catalog/problems.ts'
import { loadConfig } from '../config.ts'
import { type BackfillProgress, noProgress } from '../orders/backfill.ts'
import type { Services } from '../services.ts'
import { command, type Io, parseSince, processIo } from './command.ts'
import { openForCommand } from './open-services.ts'

const USAGE = `npm run reconcile -- --since 7d [--announce]

Reads every session since then from Dots, records the payments that it finds, and restores the checkouts that the
database has lost. It may be used while the service runs, and waits until no sweep is running.

  --since     30m, 24h, 7d, or a time such as 2026-11-01T00:00 (UTC where it names no zone; default 7d)
  --announce  also announce the orders since then whose announcements are held because they were restored; receivers
              recognise duplicates by their webhook-id`

/** Faster than the sweep, because a person is waiting: five calls a second, which is still little load for Dots. */
const CALLS_PER_MINUTE = 300
const LEASE_RETRY_MS = 1_000

/** Reconciles the store with Dots; 1 where it was stopped early. */
export const main = command(USAGE, async (argv, io) => {
  const config = loadConfig(io.env, { dotenvPath: io.dotenvPath })
  const { values } = parseArgs({
    args: argv,
    options: { since: { type: 'string', default: '7d' }, announce: { type: 'boolean', default: false } },
  })
  const since = parseSince(values.since)
  await using services = await openForCommand(config, io, {
    catalog: await catalogOrNone(config.catalogPath, io),
    pace: { callsPerMinute: CALLS_PER_MINUTE },
    mustExist: true,
  })
  const { lease, backfill, events } = services
  const range = { since: since.toISOString(), startedAt: new Date().toISOString() }
  let last: Readonly<BackfillProgress> = noProgress()
  const onProgress = (progress: Readonly<BackfillProgress>) => {
    last = progress
    io.err(progressLine(progress))
  }
  try {
    const signal = io.stopSignal()
    await waitForLease(services, signal, io)
    const isDone = await backfill.run(range, signal, { announceRestored: values.announce, onProgress })
    if (isDone) {
      await events.processDue(signal)
      await backfill.failUnresolved(range)
    }
    report(isDone, last, io)
    return isDone ? 0 : 1
  } finally {
    await lease.release()
  }
})

function report(isDone: boolean, progress: Readonly<BackfillProgress>, io: Io): void {
  const { released, held } = progress
  io.out(`${isDone ? 'Done' : 'Stopped early; run it again'}: ${progressLine(progress)}`)
  if (released > 0) io.out(`${released} sales that were on hold will be announced within seconds.`)
  if (held > 0) {
    const advice = 'Run again with --announce to announce them.'
    io.out(`${held} restored sales were complete before: not announced. ${advice}`)
  }
}

async function waitForLease({ lease }: Services, signal: AbortSignal, io: Io): Promise<void> {
  if (signal.aborted || (await lease.acquire())) return
  io.err('Waiting for the running sweep to end …')
  do {
    // If the command is stopped, the sleep ends early, and then the loop.
    await sleep(LEASE_RETRY_MS, undefined, { signal }).catch(() => {})
  } while (!signal.aborted && !(await lease.acquire()))
}

function progressLine({ sessions, settled, restored }: Readonly<BackfillProgress>): string {
  return `${sessions} sessions seen, ${settled} settled, ${restored} restored`
}

/** The names and prices of restored orders come from the catalog; without it their skus are used as names. */
async function catalogOrNone(path: string, io: Io): Promise<Catalog | undefined> {
  try {
    return await readCatalog(path)
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    io.err(`The catalog ${path} is invalid; restored orders are named by their skus.`)
    return undefined
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), processIo())
