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
