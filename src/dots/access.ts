import { type AppError, hasCode, type Log } from '../errors.ts'

/** The kinds of call. Dots may refuse one of them and accept the others, so each is judged by itself. */
const CALL_KINDS = ['create', 'read', 'list'] as const
export type CallKind = (typeof CALL_KINDS)[number]

/** One refusal may be a mistake at Dots; a second one in a row means that the settings are wrong. */
const REFUSALS_IN_A_ROW = 2

const REFUSED_WORK = {
  create: 'to create checkout sessions',
  read: 'to show checkout sessions',
  list: 'to list checkout sessions',
}

interface AccessOptions {
  log: Log
  /** A monotonic clock, in milliseconds. */
  clock: () => number
  /** How long refused creates make the service unready, and how often a read is tried while reads are refused. */
  recheckMs: number
  /** Reads one session, in order to learn whether reads are accepted again. */
  tryRead: () => void
}

/** Whether Dots has refused the credentials, or the base URL has no such API. */
export function isRefusal(error: unknown): error is AppError {
  return hasCode(error, 'dots-credentials-refused', 'dots-wrong-address')
}

/** What Dots says about the credentials and the base URL. Each change is logged once. */
export function apiAccess({ log, clock, recheckMs, tryRead }: AccessOptions) {
  /** In a row. Failures that say nothing about the credentials do not count, and do not end the row. */
  const refusals = { create: 0, read: 0, list: 0 }
  const accepted = new Set<CallKind>()
  /** From then on, refused creates make the service unready for `recheckMs`. */
  let unreadySince = Number.NEGATIVE_INFINITY
  let recheck: NodeJS.Timeout | undefined

  const isRefused = (kind: CallKind) => refusals[kind] >= REFUSALS_IN_A_ROW
  const isUnready = () => isRefused('create') && clock() < unreadySince + recheckMs

  return {
    /** For `/readyz`. */
    status() {
      const refused = CALL_KINDS.filter(isRefused)
      const state = accepted.size === 0 ? 'unchecked' : 'accepted'
      return {
        /** `unchecked` until Dots has accepted or refused a call. A refused list alone does not stop sales. */
        credentials: refused.some((kind) => kind !== 'list') ? 'refused' : state,
        refused,
        /**
         * False where load balancers should send no clicks. Refused creates turn it to true again after a while, since
         * only a click can show whether Dots accepts them now.
         */
        isReady: !isRefused('read') && !isUnready(),
      } as const
    },

    accept(kind: CallKind): void {
      const isNews = accepted.size === 0 || isRefused(kind)
      refusals[kind] = 0
      accepted.add(kind)
      if (kind === 'create') unreadySince = Number.NEGATIVE_INFINITY
      if (kind === 'read') clearInterval(recheck)
      if (isNews)
        log.info({ event: 'dots.credentials.accepted', call: kind }, 'Dots accepted the credentials')
    },

    refuse(kind: CallKind, { details }: AppError): void {
      refusals[kind] += 1
      if (!isRefused(kind)) return
      if (kind === 'create' && !isUnready()) unreadySince = clock()
      if (refusals[kind] > REFUSALS_IN_A_ROW) return
      log.error(
        { event: 'dots.credentials.rejected', call: kind, ...details },
        `Dots refuses ${REFUSED_WORK[kind]}: check ${details.check}`,
      )
      if (kind === 'read') recheck = setInterval(tryRead, recheckMs).unref()
    },

    /** Counts a refusal at the start as the first one of every kind of call that Dots has not accepted yet. */
    refuseAtStart(): void {
      for (const kind of CALL_KINDS) if (!accepted.has(kind)) refusals[kind] ||= 1
    },

    close: () => clearInterval(recheck),
  }
}
