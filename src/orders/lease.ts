import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Store } from '../store/open-store.ts'

/** The lease that the service's sweep and `npm run reconcile` share. */
const SWEEP_LEASE = 'sweep'
/**
 * If the holder dies, the others wait for this time at most. A holder renews its lease at each step; the longest step is
 * one page of Dots' list (15 s). If a lease expires while its holder works, the holder stops at its next step.
 */
const LEASE_MS = 30_000
/** Clocks of replicas that differ by less do not count as wrong. */
const MAX_CLOCK_DIFFERENCE_MS = 5 * 60_000
/** Pause before the next attempt to acquire the lease: a process that replaces a killed one sweeps within a minute. */
export const LEASE_RETRY_MS = 10_000

/** The end of the oldest part of a list that is sorted from old to new, which backfills need not read again. */
const CheckpointSchema = Type.Object({
  sessionId: Type.String(),
  /** ISO 8601, by the clock of Dots. */
  created: Type.String(),
})

/** A part of a list from new to old, which begins after one session and ends with another. */
const EndedPartSchema = Type.Object({
  after: Type.String(),
  until: Type.Optional(Type.String()),
  /** ISO 8601; sessions created before are certainly behind the last one. */
  since: Type.String(),
})

/** Where a backfill is in Dots' list; recorded after each page, so that a later run continues there. */
const BackfillCursorSchema = Type.Object({
  /** ISO 8601; sessions created before are of no interest. */
  since: Type.String(),
  /** ISO 8601. */
  startedAt: Type.String(),
  /** The last session id of the page before; absent at the start of the list. */
  startingAfter: Type.Optional(Type.String()),
  checkpoint: Type.Optional(CheckpointSchema),
  /** Whether it reaches back to all sessions that may have been open at the last long one. */
  isLong: Type.Optional(Type.Boolean()),
  /** Of a list from new to old: when its newest session was created, by the clock of Dots (ISO 8601). */
  newest: Type.Optional(Type.String()),
  /** ISO 8601. Together with those before it, it has read every session that was created since then. */
  coveredSince: Type.Optional(Type.String()),
  /** It reads the sessions that should have ended. */
  readsEnded: Type.Optional(Type.Boolean()),
  /** The part to be read next: sessions that should have ended. Those in between are new to nobody, and still open. */
  ended: Type.Optional(EndedPartSchema),
  /** The last session of the part. */
  until: Type.Optional(Type.String()),
})
export type BackfillCursor = Static<typeof BackfillCursorSchema>

/** Stored between two sweeps: when the last complete backfills began, and the cursor of an unfinished one. */
const SweepCursorSchema = Type.Object({
  /** ISO 8601. */
  completedAt: Type.Optional(Type.String()),
  /** ISO 8601. */
  longCompletedAt: Type.Optional(Type.String()),
  checkpoint: Type.Optional(CheckpointSchema),
  /** As in the cursor of the last complete backfill. */
  newest: Type.Optional(Type.String()),
  coveredSince: Type.Optional(Type.String()),
  /** When the last backfill began that has read the sessions which should have ended by then. ISO 8601. */
  endedReadAt: Type.Optional(Type.String()),
  backfill: Type.Optional(BackfillCursorSchema),
})
export type SweepCursor = Static<typeof SweepCursorSchema>

const cursorValidator = Compile(SweepCursorSchema)

interface LeaseOptions {
  store: Store
  now: () => Date
  /** Most calls to Dots in a minute that the holder makes. */
  callsPerMinute: number
}

export type Lease = ReturnType<typeof sweepLease>

/** The right to sweep: one process at a time has it among all that share the store. Its methods throw StoreError. */
export function sweepLease({ store: { leases }, now, callsPerMinute }: LeaseOptions) {
  const holder = randomUUID()

  /** Takes or renews the lease; false while another process has it. */
  function acquire(): Promise<boolean> {
    return leases.acquire(SWEEP_LEASE, holder, new Date(now().getTime() + LEASE_MS).toISOString())
  }

  return {
    acquire,

    release: () => leases.release(SWEEP_LEASE, holder),

    /**
     * Waits until the next call to Dots may be made, so that the calls are spread over the minute. False where the work
     * has to stop: `signal` is aborted, or the lease is lost.
     */
    async nextCall(signal: AbortSignal): Promise<boolean> {
      await sleep(60_000 / callsPerMinute, undefined, { signal }).catch(() => undefined)
      return !signal.aborted && (await acquire())
    },

    /**
     * The cursor is empty if nothing was recorded, if it cannot be read, or if it was written under a clock that was ahead:
     * `wasAhead`.
     */
    async readCursor(): Promise<{ cursor: SweepCursor; wasAhead: boolean }> {
      const text = (await leases.readCursor(SWEEP_LEASE)) ?? '{}'
      const cursor = parseCursor(text)
      const wasAhead = isAhead(cursor, new Date(now().getTime() + MAX_CLOCK_DIFFERENCE_MS).toISOString())
      return { cursor: wasAhead ? {} : cursor, wasAhead }
    },

    writeCursor: (cursor: SweepCursor) => leases.writeCursor(SWEEP_LEASE, JSON.stringify(cursor)),
  }
}

function parseCursor(text: string): SweepCursor {
  try {
    const cursor: unknown = JSON.parse(text)
    return cursorValidator.Check(cursor) ? cursor : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

function isAhead({ completedAt, longCompletedAt, backfill }: SweepCursor, now: string): boolean {
  const times = [completedAt, longCompletedAt, backfill?.startedAt, backfill?.since]
  return times.some((time) => time !== undefined && time > now)
}
