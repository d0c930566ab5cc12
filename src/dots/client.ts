import { AppError, hasCode } from '../errors.ts'
import { webUrl } from '../web-url.ts'
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
/** While credentials are refused, load balancers send no clicks, so the client checks by itself. */
const CREDENTIALS_RECHECK_MS = 30_000

export interface DotsClientOptions extends WireOptions, GuardOptions {
  /** Hosts that a checkout URL may have, lower case, without a port; empty: any. */
  checkoutHosts: readonly string[]
  /** Accept plain http checkout URLs too, for a Dots on this machine. */
  allowHttpCheckout: boolean
  /** Overrides of {@link DEADLINES_MS}. */
  deadlinesMs?: Partial<typeof DEADLINES_MS>
  /** How often refused credentials are checked, in milliseconds. */
  credentialsRecheckMs?: number
}

export type DotsClient = ReturnType<typeof dotsClient>

/** The Dots API. Every method throws AppErrors `dots-…` only. Changes of Dots' health are logged. */
export function dotsClient(options: DotsClientOptions) {
  const { log, checkoutHosts, credentialsRecheckMs = CREDENTIALS_RECHECK_MS } = options
  const deadlines = { ...DEADLINES_MS, ...options.deadlinesMs }
  const http = options.allowHttpCheckout ? 'always' : 'never'
  const wire = apiWire(options)
  const guard = callGuard(options)
  let credentials: 'unchecked' | 'accepted' | 'refused' = 'unchecked'
  let recheck: NodeJS.Timeout | undefined

  const setCredentials = (state: 'accepted' | 'refused'): void => {
    if (state === credentials) return
    credentials = state
    clearInterval(recheck)
    if (state === 'accepted') {
      log.info({ event: 'dots.credentials.accepted' }, 'Dots accepted the credentials')
      return
    }
    const hint = 'check DOTS_CLIENT_ID and DOTS_API_KEY'
    log.error({ event: 'dots.credentials.rejected' }, `Dots rejected the credentials: ${hint}`)
    // The result is not needed: `call` records what it says about the credentials.
    const check = () => void listCheckoutSessions({ limit: 1 }).catch(() => undefined)
    recheck = setInterval(check, credentialsRecheckMs).unref()
  }

  const call = async (purpose: Purpose, deadlineMs: number, request: WireRequest): Promise<WireResponse> => {
    try {
      const response = await guard.call(purpose, deadlineMs, (signal) => wire.send(request, signal))
      setCredentials('accepted')
      return response
    } catch (error) {
      if (hasCode(error, 'dots-credentials-refused')) setCredentials('refused')
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
    const path = `${SESSIONS}?${query}`
    const response = await call('background', deadlines.list, { path, maxBytes: MAX_LIST_BYTES })
    const result = parseSessionPage(response.json)
    if (result === undefined) throw invalidResponse(response)
    return result
  }

  return {
    /** What Dots said last about the credentials; `unchecked` until it has accepted or refused them once. */
    get credentials() {
      return credentials
    },

    /** The state of the calls, for `/readyz`. */
    get calls() {
      return guard.status()
    },

    checkUrl,
    listCheckoutSessions,

    /**
     * Creates a checkout session. `checkoutUrl` has passed `checkUrl`; nothing else in the response is required.
     *
     * @throws AppError `dots-…`; its `sessionMayExist` tells whether Dots may have created a session all the same.
     */
    async createCheckoutSession(request: CreateSession): Promise<{ session: Session; checkoutUrl: URL }> {
      const body = JSON.stringify(request)
      const maxBytes = MAX_SESSION_BYTES
      const response = await call('click', deadlines.click, { path: SESSIONS, body, maxBytes })
      const session = parseSession(response.json)
      if (session?.checkout_session_url === undefined)
        throw invalidResponse(response, { missing: 'checkout_session_url' })
      const url = session.checkout_session_url
      const checkoutUrl = checkUrl(url)
      if (checkoutUrl !== undefined) return { session, checkoutUrl }
      const details = { dotsStatus: response.status, host: URL.parse(url)?.host }
      throw new AppError('dots-unsafe-url', { details })
    },

    /** Reads one session. @throws AppError `dots-not-found` where Dots does not know it, and others. */
    async getCheckoutSession(id: string, purpose: 'return' | 'background'): Promise<Session> {
      const path = `${SESSIONS}/${encodeURIComponent(id)}`
      const response = await call(purpose, deadlines[purpose], { path, maxBytes: MAX_SESSION_BYTES })
      const session = parseSession(response.json)
      if (session === undefined) throw invalidResponse(response)
      return session
    },

    /** Aborts calls for these purposes (default: all), in flight and in the queue, and rejects later ones. */
    abort: guard.abort,

    /** Waits for calls in flight, then closes every connection. */
    close(): Promise<void> {
      clearInterval(recheck)
      return wire.close()
    },
  }
}
