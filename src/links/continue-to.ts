/** A wish longer than the longest link that mail programs carry was not made by a shop. */
const MAX_LENGTH = 2048
const FORBIDDEN = /[\\\s\p{Cc}\p{Z}]/u
const SCHEME = /^\/[a-z][a-z0-9+.-]*:|:\/\//i

/**
 * Turns a link's decoded `continue_to` into the canonical path and query to redirect to, or `undefined` where it is
 * not a plain path of our own origin (the link then works as if it had none). Give the result, never the wish.
 *
 * Paths under `/buy` are refused too: the buyer would be led from one link into the next, and one that looks harmless
 * could end in another sale. A fragment is dropped. Never throws. Source: UCP 2026-08-25, permalink.
 */
export function resolveContinueTo(raw: string, publicUrl: URL): string | undefined {
  if (raw.length > MAX_LENGTH || !raw.isWellFormed()) return undefined
  if (!/^\/(?!\/)/.test(raw) || FORBIDDEN.test(raw) || SCHEME.test(raw)) return undefined
  if (!URL.canParse(raw, publicUrl.origin)) return undefined
  const url = new URL(raw, publicUrl.origin)
  const canonical = url.pathname + url.search
  // `/.//evil.example` parses to a path of our origin that reads as another host once it stands alone.
  if (url.origin !== publicUrl.origin || canonical.startsWith('//')) return undefined
  return leadsToBuy(url.pathname) ? undefined : canonical
}

function leadsToBuy(pathname: string): boolean {
  const path = decodePath(pathname)
  return path === undefined || `${path}/`.startsWith('/buy/')
}

/** As the router will see it: `/%62uy` is `/buy`. `undefined` where the router would refuse it. */
function decodePath(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname)
  } catch {
    return undefined
  }
}
