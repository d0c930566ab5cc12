import { AppError, hasCode } from '../errors.ts'
import type { Purpose } from './call-cap.ts'
import { checkCheckoutUrl } from './checkout-url.ts'
import { Guard, type GuardOptions } from './guard.ts'
import { type CreateSession, parseSession, parseSessionPage, type Session } from './messages.ts'
import { Wire, type WireAnswer, type WireOptions } from './wire.ts'

/** Milliseconds that bound the wait for a place, the call and its one retry together. */
export interface Deadlines {
  /** Buyers give up at ten seconds. */
  click: number
  /** The return page shows "we are confirming" rather than letting the buyer look at nothing. */
  return: number
  /** Nobody waits for what goes on behind the shop, but a stuck call would hold up the others. */
  background: number
  /** A page of a hundred sessions takes Dots longer than one of them. */
  list: number
}
export const DEADLINES_MS: Deadlines = { click: 8_000, return: 3_000, background: 5_000, list: 15_000 }
/** A session is one or two kilobytes; a page of a hundred of them gets a cap of its own. */
const SESSION_BYTES = 64 * 1024
const LIST_BYTES = 4 * 1024 * 1024
/** Refused credentials keep balancers from sending clicks, so somebody has to ask whether they are good again. */
const ASK_AGAIN_MS = 30_000

export interface DotsClientOptions extends WireOptions, Partial<Omit<GuardOptions, 'maxInFlight'>> {
  checkoutHosts: readonly string[]
  allowHttpCheckout: boolean
  /** Other deadlines than the product's own, in milliseconds. */
  deadlinesMs?: Partial<Deadlines>
  /** How often Dots is asked whether refused credentials are good again, in milliseconds. */
  askAgainMs?: number
  /** Told once of each change of the credentials' state. */
  credentialsChanged?: (state: CredentialsState) => void
}

/** A session that a buyer can be sent to. */
export interface OpenSession {
  session: Session
  checkoutUrl: URL
}

/** What is known of the credentials: `unchecked` until Dots has answered once. */
export type CredentialsState = 'unchecked' | 'accepted' | 'refused'

/** The Dots API, guarded. Every method throws a DotsError, and nothing else. */
export class DotsClient {
  readonly #wire: Wire
  readonly #guard: Guard
  readonly #options: DotsClientOptions
  readonly #deadlines: Deadlines
  #credentials: CredentialsState = 'unchecked'
  #asking: NodeJS.Timeout | undefined

  constructor(options: DotsClientOptions) {
    this.#options = options
    this.#deadlines = { ...DEADLINES_MS, ...options.deadlinesMs }
    this.#wire = new Wire(options)
    this.#guard = new Guard({
      maxInFlight: options.maxInFlight,
      clock: options.clock ?? (() => performance.now()),
      random: options.random ?? Math.random,
      changed: options.changed ?? (() => {}),
    })
  }

  get credentials(): CredentialsState {
    return this.#credentials
  }

  /** How the calls are doing, for `/readyz`. */
  get calls(): Guard['status'] {
    return this.#guard.status
  }

  /**
   * Opens a checkout session. The answer's URL has passed {@link checkCheckoutUrl}; nothing else of the answer is
   * needed for the buyer to go on.
   */
  async createCheckoutSession(request: CreateSession): Promise<OpenSession> {
    const { json, facts } = await this.#call('click', this.#deadlines.click, {
      method: 'POST',
      path: '/v2/checkout-sessions',
      body: JSON.stringify(request),
      maxBytes: SESSION_BYTES,
    })
    const session = parseSession(json)
    if (session?.checkout_session_url === undefined) {
      throw new AppError('dots-invalid-response', { details: { ...facts, missing: 'checkout_session_url' } })
    }
    const checkoutUrl = this.checkUrl(session.checkout_session_url)
    if (checkoutUrl === undefined) {
      throw new AppError('dots-unsafe-url', {
        details: { dotsStatus: facts.dotsStatus, host: hostOf(session) },
      })
    }
    return { session, checkoutUrl }
  }

  /** Reads one session. @throws DotsRequestError with code `dots-not-found` where Dots does not know it. */
  async getCheckoutSession(id: string, purpose: 'return' | 'background'): Promise<Session> {
    const { json, facts } = await this.#call(purpose, this.#deadlines[purpose], {
      method: 'GET',
      path: `/v2/checkout-sessions/${encodeURIComponent(id)}`,
      maxBytes: SESSION_BYTES,
    })
    const session = parseSession(json)
    if (session === undefined) throw new AppError('dots-invalid-response', { details: facts })
    return session
  }

  /** Reads one page (1 to 100) of the list of sessions; `startingAfter` is the last id of the page before. */
  async listCheckoutSessions({
    limit,
    startingAfter,
  }: {
    limit: number
    startingAfter?: string | undefined
  }): Promise<{ sessions: Session[]; hasMore: boolean }> {
    const query = new URLSearchParams({ limit: String(limit) })
    if (startingAfter !== undefined) query.set('starting_after', startingAfter)
    const { json, facts } = await this.#call('background', this.#deadlines.list, {
      method: 'GET',
      path: `/v2/checkout-sessions?${query}`,
      maxBytes: LIST_BYTES,
    })
    const page = parseSessionPage(json)
    if (page === undefined) throw new AppError('dots-invalid-response', { details: facts })
    return page
  }

  /** The address where a buyer may be sent, or undefined. Addresses read back from the store pass here again. */
  checkUrl(raw: string): URL | undefined {
    return checkCheckoutUrl(raw, {
      hosts: this.#options.checkoutHosts,
      allowHttp: this.#options.allowHttpCheckout,
    })
  }

  /** Ends every call for these purposes (all of them by default), now and to come: there is no more time for them. */
  cut(purposes?: readonly Purpose[]): void {
    this.#guard.cut(purposes)
  }

  /** Waits for calls in flight, then closes every connection. */
  close(): Promise<void> {
    clearInterval(this.#asking)
    return this.#wire.close()
  }

  async #call(
    purpose: Purpose,
    deadlineMs: number,
    request: { method: 'GET' | 'POST'; path: string; body?: string; maxBytes: number },
  ): Promise<WireAnswer> {
    try {
      const answer = await this.#guard.call(purpose, deadlineMs, (signal) =>
        this.#wire.send({ ...request, signal }),
      )
      this.#noteCredentials('accepted')
      return answer
    } catch (error) {
      if (hasCode(error, 'dots-credentials-refused')) this.#noteCredentials('refused')
      throw error
    }
  }

  #noteCredentials(state: CredentialsState): void {
    if (state === this.#credentials) return
    this.#credentials = state
    this.#options.credentialsChanged?.(state)
    clearInterval(this.#asking)
    if (state !== 'refused') return
    const { askAgainMs = ASK_AGAIN_MS } = this.#options
    this.#asking = setInterval(() => void this.#askAgain(), askAgainMs).unref()
  }

  async #askAgain(): Promise<void> {
    try {
      await this.listCheckoutSessions({ limit: 1 })
    } catch {
      // What it says of the credentials is noted already, and everything else is told by the calls of buyers.
    }
  }
}

function hostOf(session: Session): string | undefined {
  const url = session.checkout_session_url
  return url !== undefined && URL.canParse(url) ? new URL(url).host : undefined
}
