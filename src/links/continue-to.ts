/** The longest link that mail programs carry; a longer path was not made by a shop. */
const MAX_LENGTH = 2048
const FORBIDDEN = /[\\\s\p{Cc}\p{Z}]/u
const SCHEME = /^\/[a-z][a-z0-9+.-]*:|:\/\//i

/**
 * Turns a link's decoded `continue_to` into the canonical path and query to redirect to, or `undefined` where it is
 * not a plain path of our own origin (the link then works as if it had none). Redirect to the result, never to `raw`.
 *
 * Paths under `/buy` are refused too: the buyer would be led from one link into the next, and one that looks harmless
 * could end in another sale. A fragment is dropped. Never throws. Source: UCP 2026-08-25, permalink.
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

/** Compares the path as the router will see it (`/%62uy` is `/buy`); true also where the router would refuse it. */
function leadsToBuy(pathname: string): boolean {
  try {
    return `${decodeURIComponent(pathname)}/`.startsWith('/buy/')
  } catch {
    return true
  }
}
