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

/** Where a backfill is in Dots' list; recorded after each page, so that it continues there after a restart. */
const BackfillCursorSchema = Type.Object({
  /** ISO 8601; sessions created before are of no interest. */
  since: Type.String(),
  /** ISO 8601. */
  startedAt: Type.String(),
  /** The last session id of the page before; absent at the start of the list. */
  startingAfter: Type.Optional(Type.String()),
})
export type BackfillCursor = Static<typeof BackfillCursorSchema>

/** Stored between two sweeps: when the last complete backfill began, and the cursor of an unfinished one. */
const SweepCursorSchema = Type.Object({
  /** ISO 8601. */
  completedAt: Type.Optional(Type.String()),
  backfill: Type.Optional(BackfillCursorSchema),
})
type SweepCursor = Static<typeof SweepCursorSchema>

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

    /** Empty if nothing was recorded, or if it cannot be read. */
    async readCursor(): Promise<SweepCursor> {
      try {
        const cursor: unknown = JSON.parse((await leases.readCursor(SWEEP_LEASE)) ?? '{}')
        return cursorValidator.Check(cursor) ? cursor : {}
      } catch (error) {
        if (error instanceof SyntaxError) return {}
        throw error
      }
    },

    writeCursor: (cursor: SweepCursor) => leases.writeCursor(SWEEP_LEASE, JSON.stringify(cursor)),
  }
}
