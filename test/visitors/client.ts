/**
 * Who opens links, by the headers that they really send. What is expected:
 * - `checkout`: the redirect to a new session
 * - `preview`: the product page, no session
 * - `no body`: 200 without a body, no session
 * - `prefetch refused`: 503 without a page, no session
 * - `subresource refused`: 403 without a page, no session
 */
export interface Client {
  who: string
  /** None: the header is not sent. */
  agent?: string
  headers?: Record<string, string>
  method?: 'GET' | 'HEAD'
  gets: 'checkout' | 'preview' | 'no body' | 'prefetch refused' | 'subresource refused'
}

/** What a browser sends with the click on a link. */
export const NAVIGATION = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'cross-site',
  'sec-fetch-user': '?1',
}
/** Safari has no Sec-Fetch-User. */
export const SAFARI_NAVIGATION = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'none',
}
export const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)'
export const PIXEL =
  'Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A.240505.005; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.113 Mobile Safari/537.36'
export const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
export const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0'
export const SAFARI =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15'
