import { crawlers, previews } from './bots.ts'
import { browsers, builtIn } from './browsers.ts'
import { CHROME, type Client, FIREFOX, NAVIGATION, SAFARI, SAFARI_NAVIGATION } from './client.ts'

const tools: Client[] = [
  { who: 'curl', agent: 'curl/8.5.0', headers: { accept: '*/*' }, gets: 'checkout' },
  { who: 'Wget', agent: 'Wget/1.21.4', gets: 'checkout' },
  { who: 'Postman', agent: 'PostmanRuntime/7.39.0', headers: { accept: '*/*' }, gets: 'checkout' },
  { who: 'Python requests', agent: 'python-requests/2.32.3', gets: 'checkout' },
  { who: 'Python httpx', agent: 'python-httpx/0.27.0', gets: 'checkout' },
  { who: 'Python urllib', agent: 'Python-urllib/3.12', gets: 'checkout' },
  {
    who: "Node's fetch",
    agent: 'node',
    headers: { 'sec-fetch-mode': 'cors', accept: '*/*' },
    gets: 'checkout',
  },
  { who: 'axios', agent: 'axios/1.7.2', gets: 'checkout' },
  { who: 'node-fetch', agent: 'node-fetch/1.0 (+https://github.com/bitinn/node-fetch)', gets: 'checkout' },
  { who: 'Go', agent: 'Go-http-client/1.1', gets: 'checkout' },
  { who: 'OkHttp', agent: 'okhttp/4.12.0', gets: 'checkout' },
  { who: 'Java', agent: 'Java/21.0.3', gets: 'checkout' },
  {
    who: 'PowerShell 7',
    agent: 'Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.22631; en-US) PowerShell/7.4.2',
    gets: 'checkout',
  },
  {
    who: 'Windows PowerShell 5.1',
    agent: 'Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.2506',
    gets: 'checkout',
  },
  { who: 'HTTPie', agent: 'HTTPie/3.2.2', gets: 'checkout' },
  {
    who: 'a headless browser',
    agent:
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36',
    headers: NAVIGATION,
    gets: 'checkout',
  },
  { who: 'an app on iPhone', agent: 'Shop/412 CFNetwork/1496.0.7 Darwin/23.5.0', gets: 'checkout' },
  { who: 'a shopping agent of an unknown kind', agent: 'BuyerAgent/1.0', gets: 'checkout' },
  { who: 'a text that is no user agent', agent: 'hello there', gets: 'checkout' },
  { who: 'no user agent', gets: 'checkout' },
  { who: 'an empty user agent', agent: '', gets: 'checkout' },
]

const refused: Client[] = [
  {
    who: 'Chrome, prefetch',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-purpose': 'prefetch' },
    gets: 'prefetch refused',
  },
  {
    who: 'Chrome, prerender',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-purpose': 'prefetch;prerender' },
    gets: 'prefetch refused',
  },
  {
    who: 'Chrome, prefetch through a proxy',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-purpose': 'prefetch;anonymous-client-ip' },
    gets: 'prefetch refused',
  },
  {
    who: 'Chrome, <link rel=prefetch>',
    agent: CHROME,
    headers: {
      'sec-fetch-dest': 'empty',
      'sec-fetch-mode': 'no-cors',
      'sec-purpose': 'prefetch',
      purpose: 'prefetch',
    },
    gets: 'prefetch refused',
  },
  {
    who: 'Chrome before Sec-Purpose',
    agent: CHROME,
    headers: { ...NAVIGATION, purpose: 'prefetch' },
    gets: 'prefetch refused',
  },
  {
    who: 'Safari, prefetch',
    agent: SAFARI,
    headers: { ...SAFARI_NAVIGATION, 'sec-purpose': 'prefetch' },
    gets: 'prefetch refused',
  },
  { who: 'Firefox, prefetch', agent: FIREFOX, headers: { 'x-moz': 'prefetch' }, gets: 'prefetch refused' },
  {
    who: 'Chrome, <img>',
    agent: CHROME,
    headers: { 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' },
    gets: 'subresource refused',
  },
  {
    who: "Chrome, a page's fetch",
    agent: CHROME,
    headers: { 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors' },
    gets: 'subresource refused',
  },
  {
    who: 'Firefox, <script>',
    agent: FIREFOX,
    headers: { 'sec-fetch-dest': 'script', 'sec-fetch-mode': 'no-cors' },
    gets: 'subresource refused',
  },
  {
    who: 'Safari, <link rel=stylesheet>',
    agent: SAFARI,
    headers: { 'sec-fetch-dest': 'style', 'sec-fetch-mode': 'no-cors' },
    gets: 'subresource refused',
  },
  {
    who: 'Chrome, <embed>',
    agent: CHROME,
    headers: { 'sec-fetch-dest': 'embed', 'sec-fetch-mode': 'navigate' },
    gets: 'subresource refused',
  },
  { who: 'Chrome, HEAD', agent: CHROME, headers: NAVIGATION, method: 'HEAD', gets: 'no body' },
  { who: 'curl --head', agent: 'curl/8.5.0', method: 'HEAD', gets: 'no body' },
  { who: 'a link checker', agent: 'W3C-checklink/5.0.0 libwww-perl/6.77', method: 'HEAD', gets: 'no body' },
]

/** All of them. */
export const CLIENTS: readonly Client[] = [
  ...browsers,
  ...builtIn,
  ...previews,
  ...crawlers,
  ...tools,
  ...refused,
]
