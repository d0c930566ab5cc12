import { Dispatcher, errors } from 'undici'
import { currentOwner, runAs } from './virtual-time.ts'

/** A request as it leaves the service. */
export interface NetworkRequest {
  origin: string
  method: string
  /** With its query. */
  path: string
  headers: Record<string, string>
  body: string
}

/** What comes back: a whole answer, or how the connection fails. `hang`: nothing ever comes. */
export type NetworkOutcome =
  | { status: number; headers?: Record<string, string>; body: string }
  | 'refused'
  | 'reset'
  | 'hang'

type Handler = (request: NetworkRequest) => Promise<NetworkOutcome>

/** Undici's way to the world, without sockets: `handle` plays everybody who can be reached. */
export class SimulatedNetwork extends Dispatcher {
  readonly #handle: Handler
  readonly #headersTimeoutMs: (origin: string) => number

  /** `headersTimeoutMs`: what the service's own pools have, by the origin. */
  constructor(handle: Handler, headersTimeoutMs: (origin: string) => number) {
    super()
    this.#handle = handle
    this.#headersTimeoutMs = headersTimeoutMs
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const owner = currentOwner()
    let isOver = false
    const finish = (work: () => void): void => {
      if (isOver || owner === undefined || owner.isDead) return
      isOver = true
      clearTimeout(timeout)
      runAs(owner, work)
    }
    const fail = (error: Error) => finish(() => handler.onResponseError?.(controller, error))
    const controller = {
      aborted: false,
      paused: false,
      reason: null as Error | null,
      rawHeaders: null,
      rawTrailers: null,
      abort(reason: Error) {
        controller.aborted = true
        controller.reason = reason
        fail(reason)
      },
      pause() {},
      resume() {},
    }
    const timeoutMs = this.#headersTimeoutMs(String(options.origin))
    const timeout = setTimeout(() => fail(new errors.HeadersTimeoutError()), timeoutMs)
    handler.onRequestStart?.(controller, null)
    if (isOver) return true
    const request: NetworkRequest = {
      origin: String(options.origin ?? ''),
      method: options.method,
      path: options.path,
      headers: headersOf(options.headers),
      body: String(options.body ?? ''),
    }
    void this.#handle(request).then((outcome) => {
      if (outcome === 'hang') return
      if (outcome === 'refused') return fail(networkError('ECONNREFUSED'))
      if (outcome === 'reset') return fail(networkError('ECONNRESET'))
      finish(() => {
        handler.onResponseStart?.(controller, outcome.status, outcome.headers ?? {}, '')
        handler.onResponseData?.(controller, Buffer.from(outcome.body))
        handler.onResponseEnd?.(controller, {})
      })
    })
    return true
  }

  override async close(): Promise<void> {}

  override async destroy(): Promise<void> {}
}

function networkError(code: string): Error {
  return Object.assign(new Error(`simulated: ${code}`), { code })
}

function headersOf(headers: Dispatcher.DispatchOptions['headers']): Record<string, string> {
  if (headers == null || typeof headers !== 'object' || Array.isArray(headers)) return {}
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), String(value)]],
    ),
  )
}
