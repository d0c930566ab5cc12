import type { Shop } from './shop.ts'

function parseWebUrl(shop: Shop, value: string | undefined): URL | undefined {
  if (value === undefined || value === '') return undefined
  const url = URL.parse(value, shop.publicUrl)
  if (url === null) return undefined
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  // A name and password before the host serve only to make a stranger's address look like a known one.
  if (url.username !== '' || url.password !== '') return undefined
  return url
}

/**
 * The value as an address that a page may link to: the parsed form of an http or https URL, or of a path on this
 * site. Everything else (`javascript:`, `data:`, credentials in the URL, nonsense) is undefined, and the page
 * leaves its link out. Never throws.
 */
export function webUrl(shop: Shop, value: string | undefined): string | undefined {
  const url = parseWebUrl(shop, value)
  if (url === undefined) return undefined
  // Paths stay paths, so that the site also works under a second host name. A normalised path may begin with
  // two slashes (`/.//host`), which a browser would read as another host: that one is written out in full.
  const isPathHere = value?.startsWith('/') === true && url.origin === URL.parse(shop.publicUrl)?.origin
  if (isPathHere && !url.pathname.startsWith('//')) return url.pathname + url.search + url.hash
  return url.href
}

/** Like `webUrl`, always with scheme and host: for link previews and structured data. Never throws. */
export function absoluteWebUrl(shop: Shop, value: string | undefined): string | undefined {
  return parseWebUrl(shop, value)?.href
}

/**
 * A `mailto:` link (RFC 6068) to a plain address, with the subject if there is one; undefined where the value is
 * not a plain address. Never throws.
 */
export function mailtoUrl(address: string | undefined, subject?: string): string | undefined {
  const parts = /^([^\s@<>"]+)@([^\s@<>"]+)$/.exec(address?.toWellFormed() ?? '')
  if (parts?.[1] === undefined || parts[2] === undefined) return undefined
  const to = `mailto:${encodeURIComponent(parts[1])}@${encodeURIComponent(parts[2])}`
  return subject === undefined ? to : `${to}?subject=${encodeURIComponent(subject.toWellFormed())}`
}
