import { AppError, hasCode } from '../errors.ts'
import { webUrl } from '../web-url.ts'
import type { Purpose } from './concurrency.ts'
import { Guard, type GuardOptions } from './guard.ts'
import { type CreateSession, parseSession, parseSessionPage, type Session } from './messages.ts'
import { invalidResponse, Wire, type WireOptions, type WireRequest, type WireResponse } from './wire.ts'

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

/** The Dots API. Every method throws AppErrors `dots-…` only. Changes of Dots' health are logged. */
export class DotsClient {
  readonly #options: DotsClientOptions
  readonly #deadlines: typeof DEADLINES_MS
  readonly #urlPolicy: NonNullable<Parameters<typeof webUrl>[1]>
  readonly #wire: Wire
  readonly #guard: Guard
  #credentials: 'unchecked' | 'accepted' | 'refused' = 'unchecked'
  #recheck: NodeJS.Timeout | undefined

  constructor(options: DotsClientOptions) {
    this.#options = options
    this.#deadlines = { ...DEADLINES_MS, ...options.deadlinesMs }
    this.#urlPolicy = { http: options.allowHttpCheckout ? 'always' : 'never' }
    this.#wire = new Wire(options)
    this.#guard = new Guard(options)
  }

  /** What Dots said last about the credentials; `unchecked` until it has accepted or refused them once. */
  get credentials() {
    return this.#credentials
  }

  /** The state of the calls, for `/readyz`. */
  get calls(): Guard['status'] {
    return this.#guard.status
  }

  /**
   * Creates a checkout session. `checkoutUrl` has passed {@link DotsClient.checkUrl}; nothing else in the response is
   * required.
   *
   * @throws AppError `dots-…`; its `sessionMayExist` tells whether Dots may have created a session all the same.
   */
  async createCheckoutSession(request: CreateSession): Promise<{ session: Session; checkoutUrl: URL }> {
    const response = await this.#call('click', this.#deadlines.click, {
      path: SESSIONS,
      body: JSON.stringify(request),
      maxBytes: MAX_SESSION_BYTES,
    })
    const session = parseSession(response.json)
    const url = session?.checkout_session_url
    if (session === undefined || url === undefined) {
      throw invalidResponse(response, { missing: 'checkout_session_url' })
    }
    const checkoutUrl = this.checkUrl(url)
    if (checkoutUrl === undefined) {
      throw new AppError('dots-unsafe-url', {
        details: { dotsStatus: response.status, host: URL.parse(url)?.host },
      })
    }
    return { session, checkoutUrl }
  }

  /** Reads one session. @throws AppError `dots-not-found` where Dots does not know it, and others. */
  async getCheckoutSession(id: string, purpose: 'return' | 'background'): Promise<Session> {
    const response = await this.#call(purpose, this.#deadlines[purpose], {
      path: `${SESSIONS}/${encodeURIComponent(id)}`,
      maxBytes: MAX_SESSION_BYTES,
    })
    const session = parseSession(response.json)
    if (session === undefined) throw invalidResponse(response)
    return session
  }

  /**
   * Reads one page of the list of sessions, in the background.
   *
   * @param page `limit`: 1 to 100 sessions; `startingAfter`: the last id of the previous page.
   */
  async listCheckoutSessions(page: {
    limit: number
    startingAfter?: string
  }): Promise<{ sessions: Session[]; hasMore: boolean }> {
    const query = new URLSearchParams({ limit: String(page.limit) })
    if (page.startingAfter !== undefined) query.set('starting_after', page.startingAfter)
    const response = await this.#call('background', this.#deadlines.list, {
      path: `${SESSIONS}?${query}`,
      maxBytes: MAX_LIST_BYTES,
    })
    const result = parseSessionPage(response.json)
    if (result === undefined) throw invalidResponse(response)
    return result
  }

  /**
   * The URL to send a buyer to, or undefined where it is not safe: not https (nor http where that is allowed), with
   * credentials, or on a host that is not listed. Stored URLs have to be checked again, since the list may change.
   */
  checkUrl(text: string): URL | undefined {
    const url = webUrl(text, this.#urlPolicy)
    const { checkoutHosts: hosts } = this.#options
    return url && (hosts.length === 0 || hosts.includes(url.hostname)) ? url : undefined
  }

  /** Aborts calls for these purposes (default: all), in flight and in the queue, and rejects later ones. */
  abort(purposes?: readonly Purpose[]): void {
    this.#guard.abort(purposes)
  }

  /** Waits for calls in flight, then closes every connection. */
  close(): Promise<void> {
    clearInterval(this.#recheck)
    return this.#wire.close()
  }

  async #call(purpose: Purpose, deadlineMs: number, request: WireRequest): Promise<WireResponse> {
    try {
      const response = await this.#guard.call(purpose, deadlineMs, (signal) =>
        this.#wire.send(request, signal),
      )
      this.#setCredentials('accepted')
      return response
    } catch (error) {
      if (hasCode(error, 'dots-credentials-refused')) this.#setCredentials('refused')
      throw error
    }
  }

  #setCredentials(state: 'accepted' | 'refused'): void {
    if (state === this.#credentials) return
    this.#credentials = state
    clearInterval(this.#recheck)
    const { log, credentialsRecheckMs = CREDENTIALS_RECHECK_MS } = this.#options
    if (state === 'accepted') {
      log.info({ event: 'dots.credentials.accepted' }, 'Dots accepted the credentials')
    } else {
      log.error(
        { event: 'dots.credentials.rejected' },
        'Dots rejected the credentials: check DOTS_CLIENT_ID and DOTS_API_KEY',
      )
      // An error of this call changes nothing, and what it says about the credentials has been recorded by then.
      const check = () => void this.listCheckoutSessions({ limit: 1 }).catch(() => undefined)
      this.#recheck = setInterval(check, credentialsRecheckMs).unref()
    }
  }
}
