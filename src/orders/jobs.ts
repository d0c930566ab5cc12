import type { Log } from '../errors.ts'
import type { Deliveries } from './deliveries.ts'
import type { Events } from './events.ts'
import { backgroundLoop } from './loop.ts'
import type { Sweep } from './sweep.ts'

/** How often the background jobs run in production; tests have less time. */
export const JOBS_PACE = {
  sweepEveryMs: 60_000,
  eventsEveryMs: 5_000,
  deliverEveryMs: 5_000,
  warmEveryMs: 5_000,
  /** Most calls to Dots that the sweep makes. */
  callsPerMinute: 60,
}
/** `retrySeconds`: between the attempts to announce an order. */
export type JobsPace = typeof JOBS_PACE & { retrySeconds?: readonly number[] }

interface JobsOptions {
  deliveries: Deliveries
  events: Events
  sweep: Sweep
  /** Makes the checkouts that the next clicks will need. */
  makeWarm: (signal: AbortSignal) => Promise<unknown>
  log: Log
  pace: JobsPace
}

/** The background jobs: events and the sweep find payments without the buyer's return, deliveries announce them. */
export function backgroundJobs({ deliveries, events, sweep, makeWarm, log, pace }: JobsOptions) {
  const jobs = {
    deliveries,
    events: backgroundLoop({ name: 'events', everyMs: pace.eventsEveryMs, log, run: events.processDue }),
    sweep: backgroundLoop({ name: 'sweep', everyMs: pace.sweepEveryMs, log, run: sweep }),
    warm: backgroundLoop({ name: 'warm', everyMs: pace.warmEveryMs, log, run: makeWarm }),
  }
  return {
    /** How many runs of a job have ended since the start. */
    runsEnded: (name: keyof typeof jobs) => jobs[name].runsEnded(),

    start() {
      for (const job of Object.values(jobs)) job.start()
    },
    /** Resolves when no job is running any more. */
    async stop(): Promise<void> {
      await Promise.all(Object.values(jobs).map((job) => job.stop()))
    },
  }
}
