import { type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici'
import { isLoopbackHost } from './web-url.ts'

/** The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; empty where there is none. */
export interface OutgoingProxy {
  httpProxy: string
  httpsProxy: string
  noProxy: string
}

/** Limits for the connections to one server; times in milliseconds. */
type Limits = Pick<
  Pool.Options,
  'connections' | 'connectTimeout' | 'headersTimeout' | 'bodyTimeout' | 'keepAliveTimeout'
>

/**
 * What takes the requests to the server of `url`, and to no other: connections of our own, or where there is a `proxy`
 * those that Node's own fetch would make with it. This machine is always reached directly.
 */
export function outgoingDispatcher(
  url: string,
  proxy: OutgoingProxy | undefined,
  limits: Limits,
): Dispatcher {
  const { origin, hostname } = new URL(url)
  if (proxy === undefined || isLoopbackHost(hostname)) return new Pool(origin, limits)
  return new EnvHttpProxyAgent({
    ...limits,
    ...proxy,
    // Without this a proxy that never answers would hold a connection for five minutes.
    clientFactory: (proxyUrl, options) =>
      new Pool(proxyUrl, { ...options, headersTimeout: limits.connectTimeout ?? limits.headersTimeout }),
  })
}

/**
 * Why a request got no response: the code of the error, or else its name. A host with two IP addresses fails with two
 * errors; the first counts.
 */
export function faultOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return faultOf(error.errors[0])
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
