import type { IncomingHttpHeaders } from 'node:http'
import { createIsbotFromList, list } from 'isbot'

/**
 * Who requests a link. `prefetch`: a browser that loads it before anybody clicks. `subresource`: a page that loads it as
 * one of its parts. `preview`: a program that shows or indexes links and never buys. `buyer`: everybody else.
 */
type Visitor = 'prefetch' | 'subresource' | 'preview' | 'buyer'

/**
 * Programs that people run, and agents of no known kind: they are treated as a browser is. isbot counts them as bots,
 * some of them only because of the form of their name, and headless browsers as well.
 */
const NOT_PREVIEWS = [
  'curl/8.5.0',
  'Wget/1.21.4',
  'python-requests/2.31.0',
  'aiohttp/3.9.1',
  'node',
  'undici',
  'axios/1.6.2',
  'PostmanRuntime/7.36.0',
  'insomnia/8.4.5',
  'Go-http-client/2.0',
  'okhttp/4.12.0',
  'Apache-HttpClient/4.5.14 (Java/17.0.9)',
  'Java/17.0.9',
  'Dart/3.2 (dart:io)',
  'libwww-perl/6.67',
  'Guzzle/7.8',
  'MyAgent/1.0',
  'Shop Assistant 2',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36',
]
/** What the user agents of command line tools and HTTP libraries start with. */
const TOOL =
  /^(?:curl|wget|python|aiohttp|httpx|node|undici|axios|got|ky|superagent|postman|insomnia|go-http|okhttp|apache-httpclient|java|dart|libwww|lwp|guzzle|httpie|hoppscotch|bruno|ruby|faraday|reqwest|hyper|rest-client|powershell|mozilla\/5\.0 \([^)]*\) (?:windows)?powershell)\b/i
/** These patterns are used all the same, because real bots match them. Tools that match them are recognised first. */
const KEPT_PATTERNS = new Set(['(?<!lib)http', '^facebook'])

const isKnownBot = createIsbotFromList(
  list.filter(
    (pattern) =>
      KEPT_PATTERNS.has(pattern) || !NOT_PREVIEWS.some((agent) => new RegExp(pattern, 'i').test(agent)),
  ),
)

/**
 * What isbot misses or takes for a tool: chat programs that show a preview, and Office, which requests a link before it
 * opens the browser. The built-in browsers of these apps do not match, since their user agents begin like that of any
 * browser; people buy with them.
 */
const PREVIEW =
  /^viber|^meta-(?:external|web)|^whatsapp\/|^tiktok|tiktok(?:spider|bot|preview)|^com\.(?:zhiliaoapp\.musically|ss\.android\.ugc\.\w+)\/|\bms-?office\b|^microsoft office|microsoftpreview|^iframely|^signal(?:-desktop)?\/|^embedly/i

/** Programs that check the links of mails, by the names that they give themselves. No browser has one of these in its own. */
const MAIL_SCANNER =
  /barracuda|proofpoint|mimecast|safelinks|googleimageproxy|yahoomailproxy|ciscosecureemail|ironport|\btmes\b|trend ?micro|messagelabs|symantec|forti(?:mail|net|guard)|sophos|fireeye|avanan|spamtitan|hornetsecurity|forcepoint|cloudmark|mailmarshal|retarus|ironscales|clearswift|libraesva|urlscan|virustotal/i

/** Decides by its headers who has sent a request. Forged headers harm only their sender. */
export function classifyRequest(headers: IncomingHttpHeaders): Visitor {
  if (isPrefetch(headers)) return 'prefetch'
  const destination = headers['sec-fetch-dest']
  if (destination !== undefined && !DOCUMENTS.has(destination.trim().toLowerCase())) return 'subresource'
  return isPreviewAgent(headers['user-agent'] ?? '') ? 'preview' : 'buyer'
}

/** `Sec-Fetch-Dest` of a page that a person sees, also in a frame (fetch.spec.whatwg.org, destination). */
const DOCUMENTS = new Set(['document', 'frame', 'iframe', 'fencedframe'])

const PURPOSE_HEADERS = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz']

function isPrefetch(headers: IncomingHttpHeaders): boolean {
  return PURPOSE_HEADERS.some((name) => {
    const purpose = headers[name]
    return purpose !== undefined && /\b(?:prefetch|prerender|preview)\b/i.test(String(purpose))
  })
}

/** What was found out about user agents: most buyers share a few hundred, and there are hundreds of patterns. */
const knownAgents = new Map<string, boolean>()
const MAX_KNOWN_AGENTS = 1_000
const MAX_KNOWN_LENGTH = 500

function isPreviewAgent(agent: string): boolean {
  const known = knownAgents.get(agent)
  if (known !== undefined) return known
  const isPreview = matchesPreview(agent)
  if (agent.length > MAX_KNOWN_LENGTH) return isPreview
  if (knownAgents.size >= MAX_KNOWN_AGENTS) knownAgents.clear()
  knownAgents.set(agent, isPreview)
  return isPreview
}

function matchesPreview(agent: string): boolean {
  if (PREVIEW.test(agent) || MAIL_SCANNER.test(agent)) return true
  const program = withoutAddition(agent)
  return !TOOL.test(program) && isKnownBot(program)
}

/** Some tools and proxies add text behind the user agent of a browser, often with a URL as bots have: a person uses it. */
function withoutAddition(agent: string): string {
  const at = agent.indexOf(' |')
  return at > 0 && /^Mozilla\/5\.0 \((?!compatible)/i.test(agent) ? agent.slice(0, at) : agent
}
