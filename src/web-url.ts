/** Which plain http URLs are allowed beside https: none, those of this machine, or all. */
type PlainHttp = 'never' | 'loopback' | 'always'

/**
 * The one rule for URLs that a browser may be sent to: absolute, https (or http as far as `http` allows), without a
 * user name and a password, which serve only to make one host look like another. Undefined for everything else
 * (`javascript:`, `data:`, relative paths, nonsense). Use the result's `href`, never the text. Never throws.
 */
export function webUrl(text: string, { http = 'loopback' }: { http?: PlainHttp } = {}): URL | undefined {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return undefined
  if (url.protocol === 'https:') return url
  const isAllowed = http === 'always' || (http === 'loopback' && isLoopbackHost(url.hostname))
  return url.protocol === 'http:' && isAllowed ? url : undefined
}

/** True for names and IP addresses that never leave this machine. `host` as in a parsed URL. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase()
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(name)
  )
}
