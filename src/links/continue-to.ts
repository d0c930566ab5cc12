/** In characters: mail programs do not carry longer links. */
const MAX_LENGTH = 2048
const FORBIDDEN = /[\\\s\p{Cc}\p{Z}]/u
const SCHEME = /^\/[a-z][a-z0-9+.-]*:|:\/\//i

/**
 * The canonical path and query that a link's decoded `continue_to` redirects to; `undefined` where it is not
 * a plain path of our own origin. Redirect to the result, never to `raw`.
 *
 * Paths under `/buy` are refused too, since a link could then open the checkout of another one. A fragment is
 * dropped. Never throws. Source: UCP 2026-08-25, permalink.
 */
export function resolveContinueTo(raw: string | undefined, publicUrl: URL): string | undefined {
  if (raw === undefined || raw.length > MAX_LENGTH || !raw.isWellFormed()) return undefined
  if (!/^\/(?!\/)/.test(raw) || FORBIDDEN.test(raw) || SCHEME.test(raw)) return undefined
  const url = URL.parse(raw, publicUrl.origin)
  if (url === null || url.origin !== publicUrl.origin) return undefined
  const canonical = url.pathname + url.search
  // `/.//evil.example` parses to a path of our origin that reads as another host when it is used by itself.
  if (canonical.startsWith('//') || SCHEME.test(canonical)) return undefined
  return leadsToBuy(url.pathname) ? undefined : canonical
}

/** Compares the path as the router sees it (`/%62uy` is `/buy`); true also where the router refuses it. */
function leadsToBuy(pathname: string): boolean {
  try {
    return `${decodeURIComponent(pathname)}/`.startsWith('/buy/')
  } catch {
    return true
  }
}
