import type { Log } from '../errors.ts'
import type { Deliveries } from './deliveries.ts'
import type { Events } from './events.ts'
import { Loop } from './loop.ts'
import type { SweepOutcome } from './sweep.ts'

/** How often the background jobs run. The defaults are for production; tests have less time. */
export interface JobsPace {
  sweepEveryMs: number
  eventsEveryMs: number
  deliverEveryMs: number
  /** Most calls to Dots in a minute that the sweep makes. */
  callsPerMinute: number
  /** Seconds between the attempts to announce an order. */
  retrySeconds?: readonly number[]
}

export const JOBS_PACE: JobsPace = {
  sweepEveryMs: 60_000,
  eventsEveryMs: 5_000,
  deliverEveryMs: 5_000,
  callsPerMinute: 60,
}

interface JobsOptions {
  deliveries: Deliveries
  events: Events
  sweep: (signal: AbortSignal) => Promise<SweepOutcome>
  log: Log
  pace: JobsPace
}

/** Everything that makes a payment known without the buyer: events, the sweep, announcements. */
export function backgroundJobs({ deliveries, events, sweep, log, pace }: JobsOptions) {
  const loops = [
    new Loop({ name: 'events', everyMs: pace.eventsEveryMs, log, run: events.processDue }),
    new Loop({
      name: 'sweep',
      everyMs: pace.sweepEveryMs,
      log,
      run: async (signal) => void (await sweep(signal)),
    }),
  ]
  const jobs = [deliveries, ...loops]
  return {
    start() {
      for (const job of jobs) job.start()
    },
    /** Resolves when no job is running any more. */
    async stop(): Promise<void> {
      await Promise.all(jobs.map((job) => job.stop()))
    },
  }
}
