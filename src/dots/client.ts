import { AppError, hasCode, isDotsError, loggedCause } from '../errors.ts'
import { webUrl } from '../web-url.ts'
import { apiAccess, type CallKind, isRefusal } from './access.ts'
import type { Purpose } from './concurrency.ts'
import { callGuard, type GuardOptions } from './guard.ts'
import { type CreateSession, parseSession, parseSessionPage, type Session } from './messages.ts'
import { apiWire, invalidResponse, type WireOptions, type WireRequest, type WireResponse } from './wire.ts'

/** Milliseconds for the wait for a slot, the call and its one retry together. */
export const DEADLINES_MS = {
  /** Buyers give up at ten seconds. */
  click: 8_000,
  /** After that the return page says "we are confirming" instead of keeping the buyer waiting. */
  return: 3_000,
  /** No buyer waits for background work, but a stuck call would delay the others. */
  background: 5_000,
  /** A page of a hundred sessions takes Dots longer than one of them. */
  list: 15_000,
}
const SESSIONS = '/v2/checkout-sessions'
/** A session is one or two kilobytes; a page of a hundred of them has a limit of its own. */
const MAX_SESSION_BYTES = 64 * 1024
const MAX_LIST_BYTES = 4 * 1024 * 1024
/** While credentials are refused, load balancers send no clicks, so something else has to find out when that is over. */
const CREDENTIALS_RECHECK_MS = 30_000
/** Soon enough to come before most buyers, and late enough that a process which keeps crashing does not flood Dots. */
const FIRST_CALL_MS = 1_000

export interface DotsClientOptions extends WireOptions, GuardOptions {
  /** Hosts that a checkout URL may have, lower case, without a port; empty: any. */
  checkoutHosts: readonly string[]
  /** Accept plain http checkout URLs too, for a Dots on this machine. */
  allowHttpCheckout: boolean
  /** Overrides of {@link DEADLINES_MS}. */
  deadlinesMs?: Partial<typeof DEADLINES_MS>
  /** How soon it is found out that refused credentials are accepted again, in milliseconds. */
  credentialsRecheckMs?: number
  /** When `start` makes the first call, in milliseconds. */
  firstCallMs?: number
}

export type DotsClient = ReturnType<typeof dotsClient>

/** The Dots API. Every method throws AppErrors `dots-…` only. Changes of Dots' health are logged. */
export function dotsClient(options: DotsClientOptions) {
  const { log, checkoutHosts, clock = () => performance.now() } = options
  const deadlines = { ...DEADLINES_MS, ...options.deadlinesMs }
  const http = options.allowHttpCheckout ? 'always' : 'never'
  const wire = apiWire(options)
  const guard = callGuard({ ...options, clock })
  /**
   * The session that reads are tried with: the last one that Dots has shown or created. One that it has always refused
   * may belong to another app, so that is used only where there is no other.
   */
  let knownId: string | undefined
  let firstCall: NodeJS.Timeout | undefined
  const access = apiAccess({
    log,
    clock,
    recheckMs: options.credentialsRecheckMs ?? CREDENTIALS_RECHECK_MS,
    // The result is not needed: `call` records what it says about the credentials. It counts as a return, since a
    // background that is paused or fails must not keep the service unready.
    tryRead: () => void (knownId && getCheckoutSession(knownId, 'return').catch(() => undefined)),
  })

  const call = async (
    kind: CallKind,
    purpose: Purpose,
    deadlineMs: number,
    request: WireRequest,
  ): Promise<WireResponse> => {
    try {
      const response = await guard.call(purpose, deadlineMs, (call) => wire.send(request, call))
      access.accept(kind)
      return response
    } catch (error) {
      if (isRefusal(error)) access.refuse(kind, error)
      // Dots has looked for the session, so it has accepted the credentials.
      else if (kind === 'read' && hasCode(error, 'dots-not-found')) access.accept(kind)
      // Jobs come again and again, and the pause or the breaker is in the log already.
      const wasNotCalled = hasCode(error, 'dots-paused', 'dots-breaker-open')
      if (wasNotCalled && purpose === 'background') error.logLevel = 'debug'
      throw error
    }
  }

  /**
   * The URL to send a buyer to, or undefined where it is not safe: not https (nor http where that is allowed), with
   * credentials, or on a host that is not listed. Stored URLs have to be checked again, since the list may change.
   */
  const checkUrl = (text: string): URL | undefined => {
    const url = webUrl(text, { http })
    return url && (checkoutHosts.length === 0 || checkoutHosts.includes(url.hostname)) ? url : undefined
  }

  /**
   * Reads one page of the list of sessions, in the background.
   *
   * @param page `limit`: 1 to 100 sessions; `startingAfter`: the last id of the previous page.
   */
  const listCheckoutSessions = async (page: { limit: number; startingAfter?: string }) => {
    const query = new URLSearchParams({ limit: String(page.limit) })
    if (page.startingAfter !== undefined) query.set('starting_after', page.startingAfter)
    const namesSession = page.startingAfter !== undefined
    const request = { path: `${SESSIONS}?${query}`, namesSession, maxBytes: MAX_LIST_BYTES }
    const response = await call('list', 'background', deadlines.list, request)
    const result = parseSessionPage(response.json)
    if (result === undefined) throw invalidResponse(response)
    return result
  }

  /** Reads one session. @throws AppError `dots-not-found` where Dots does not know it, and others. */
  const getCheckoutSession = async (id: string, purpose: 'return' | 'background'): Promise<Session> => {
    knownId ??= id
    const path = `${SESSIONS}/${encodeURIComponent(id)}`
    const request = { path, namesSession: true, maxBytes: MAX_SESSION_BYTES }
    const response = await call('read', purpose, deadlines[purpose], request)
    knownId = id
    const session = parseSession(response.json)
    if (session === undefined) throw invalidResponse(response)
    return session
  }

  const makeFirstCall = async (): Promise<void> => {
    try {
      await listCheckoutSessions({ limit: 1 })
    } catch (error) {
      if (isRefusal(error)) access.refuseAtStart()
      const { logLevel = 'error', details = {} } = isDotsError(error) ? error : {}
      const cause = { ...details, ...loggedCause(error) }
      log[logLevel]({ event: 'dots.first-call.failed', ...cause }, 'the first call to Dots failed')
    }
  }

  return {
    /**
     * Makes a first call in a moment, so that wrong settings are in the log, and half of what makes the service unready,
     * before a buyer meets them.
     */
    start(): void {
      firstCall = setTimeout(makeFirstCall, options.firstCallMs ?? FIRST_CALL_MS).unref()
    },

    /** What Dots says about the credentials and the base URL, for `/readyz`. */
    get access() {
      return access.status()
    },

    /** The state of the calls, for `/readyz`. */
    get calls() {
      return guard.status()
    },

    checkUrl,
    listCheckoutSessions,
    getCheckoutSession,

    /**
     * Creates a checkout session; `request` may be its JSON. In the background it is one for a click to come. `checkoutUrl` has passed `checkUrl`; nothing else in the response is required.
     *
     * @throws AppError `dots-…`; its `sessionMayExist` tells whether Dots may have created a session all the same.
     */
    async createCheckoutSession(
      request: CreateSession | string,
      purpose: 'click' | 'background' = 'click',
    ): Promise<{ session: Session; checkoutUrl: URL }> {
      const body = typeof request === 'string' ? request : JSON.stringify(request)
      const wireRequest = { path: SESSIONS, body, namesSession: false, maxBytes: MAX_SESSION_BYTES }
      const response = await call('create', purpose, deadlines[purpose], wireRequest)
      const session = parseSession(response.json)
      knownId = session?.id ?? knownId
      if (session?.checkout_session_url === undefined)
        throw invalidResponse(response, { missing: 'checkout_session_url' })
      const url = session.checkout_session_url
      const checkoutUrl = checkUrl(url)
      if (checkoutUrl !== undefined) return { session, checkoutUrl }
      const details = { dotsStatus: response.status, host: URL.parse(url)?.host }
      throw new AppError('dots-unsafe-url', { details })
    },

    /** Aborts calls for these purposes (default: all), in flight and in the queue, and rejects later ones. */
    abort(purposes?: readonly Purpose[]): void {
      clearTimeout(firstCall)
      guard.abort(purposes)
    },

    /** Waits for calls in flight, then closes every connection. */
    close(): Promise<void> {
      access.close()
      return wire.close()
    },
  }
}
