import { setTimeout as sleep } from 'node:timers/promises'
import type { DotsClient } from '../dots/client.ts'
import type { Restore } from './restore.ts'
import type { SettleCheckout } from './settle-checkout.ts'

/** The turn that the service's sweep and `npm run reconcile` share. */
export const SWEEP_TURN = 'sweep'
export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
/** Longer than any click lasts: before that there is nothing to find of it, and it must not be meddled with. */
export const AFTER_CLICK_MS = MINUTE_MS
/**
 * A holder that died is waited for no longer than this; a living one renews its turn at each step, and the longest step
 * is one page of Dots' list (15 s). A turn that runs out under a living one does no harm: it stops at its next step.
 */
const TURN_MS = 30_000

export interface Sweep extends Restore {
  dots: DotsClient
  settle: SettleCheckout
  /** Names this process among those that share the store. */
  holder: string
  /** Most calls to Dots in a minute. */
  callsPerMinute: number
}

/** Takes or renews the turn; false while another process has it. @throws StoreError */
export function takeTurn({ store, holder, settle }: Sweep): Promise<boolean> {
  return store.leases.acquire(SWEEP_TURN, holder, new Date(settle.now().getTime() + TURN_MS).toISOString())
}

/** Spreads the calls over the minute. */
export async function pace({ callsPerMinute }: Sweep, signal: AbortSignal): Promise<void> {
  try {
    await sleep(MINUTE_MS / callsPerMinute, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** The time so many milliseconds before now, ISO 8601. */
export function ago({ settle }: Sweep, ms: number): string {
  return new Date(settle.now().getTime() - ms).toISOString()
}
