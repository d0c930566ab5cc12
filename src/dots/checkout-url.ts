/**
 * The one gate for addresses that a buyer is sent to. Returns the parsed, canonical address, or undefined: only https
 * (http too where Dots itself is on this machine), no credentials, and on one of `hosts` where there are any.
 */
export function checkCheckoutUrl(
  raw: string,
  { hosts, allowHttp }: { hosts: readonly string[]; allowHttp: boolean },
): URL | undefined {
  if (!URL.canParse(raw)) return undefined
  const url = new URL(raw)
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) return undefined
  if (url.username !== '' || url.password !== '') return undefined
  if (hosts.length > 0 && !hosts.includes(url.hostname)) return undefined
  return url
}
