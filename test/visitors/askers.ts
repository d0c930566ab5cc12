/**
 * Who opens links, by the headers that they really send. What is expected:
 * - `checkout`: the redirect to a new session
 * - `preview`: the product page, no session
 * - `told`: 200 without a body, no session
 * - `not now`: 503 without a page, no session
 * - `no part`: 403 without a page, no session
 */
export interface Asker {
  who: string
  /** None: the header is not sent. */
  agent?: string
  headers?: Record<string, string>
  method?: 'GET' | 'HEAD'
  gets: 'checkout' | 'preview' | 'told' | 'not now' | 'no part'
}

const NAVIGATION = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'cross-site',
  'sec-fetch-user': '?1',
}
/** Safari has no Sec-Fetch-User. */
const SAFARI_NAVIGATION = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'none',
}
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)'
const PIXEL =
  'Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A.240505.005; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.113 Mobile Safari/537.36'
const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0'
const SAFARI =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15'

const browsers: Asker[] = [
  { who: 'Chrome on Windows', agent: CHROME, headers: NAVIGATION, gets: 'checkout' },
  { who: 'Chrome on Windows behind a proxy that drops Sec-Fetch-*', agent: CHROME, gets: 'checkout' },
  {
    who: 'Chrome, link typed in',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-fetch-site': 'none' },
    gets: 'checkout',
  },
  {
    who: 'Chrome on Android',
    agent:
      'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36',
    headers: NAVIGATION,
    gets: 'checkout',
  },
  {
    who: 'Chrome on iPhone',
    agent: `${IPHONE} CriOS/125.0.6422.80 Mobile/15E148 Safari/604.1`,
    headers: SAFARI_NAVIGATION,
    gets: 'checkout',
  },
  { who: 'Firefox', agent: FIREFOX, headers: NAVIGATION, gets: 'checkout' },
  {
    who: 'Firefox 78, before Sec-Fetch-*',
    agent: 'Mozilla/5.0 (Windows NT 6.1; rv:78.0) Gecko/20100101 Firefox/78.0',
    gets: 'checkout',
  },
  {
    who: 'Firefox on iPhone',
    agent: `${IPHONE} FxiOS/126.0 Mobile/15E148 Safari/605.1.15`,
    gets: 'checkout',
  },
  { who: 'Safari 17', agent: SAFARI, headers: SAFARI_NAVIGATION, gets: 'checkout' },
  {
    who: 'Safari 15.6, before Sec-Fetch-*',
    agent:
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Safari/605.1.15',
    gets: 'checkout',
  },
  {
    who: 'Safari on iPhone, iOS 16.3',
    agent:
      'Mozilla/5.0 (iPhone; CPU iPhone OS 16_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Mobile/15E148 Safari/604.1',
    gets: 'checkout',
  },
  {
    who: 'Safari on iPhone, iOS 17',
    agent: `${IPHONE} Version/17.5 Mobile/15E148 Safari/604.1`,
    headers: SAFARI_NAVIGATION,
    gets: 'checkout',
  },
  { who: 'Edge', agent: `${CHROME} Edg/140.0.0.0`, headers: NAVIGATION, gets: 'checkout' },
  {
    who: 'Samsung Internet',
    agent:
      'Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36',
    headers: NAVIGATION,
    gets: 'checkout',
  },
  { who: 'Opera', agent: `${CHROME} OPR/110.0.0.0`, headers: NAVIGATION, gets: 'checkout' },
  {
    who: 'Opera Mini in data saving mode',
    agent: 'Opera/9.80 (Android; Opera Mini/36.2.2254/191.249; U; en) Presto/2.12.423 Version/12.16',
    gets: 'checkout',
  },
  {
    who: 'Opera Mini on a feature phone',
    agent: 'Opera/9.80 (J2ME/MIDP; Opera Mini/8.0.35626/191.249; U; en) Presto/2.12.423 Version/12.16',
    gets: 'checkout',
  },
  { who: 'Yandex Browser', agent: `${CHROME} YaBrowser/24.4.0.0`, headers: NAVIGATION, gets: 'checkout' },
  {
    who: 'DuckDuckGo on iPhone',
    agent: `${IPHONE} Version/17.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15`,
    gets: 'checkout',
  },
  {
    who: 'Internet Explorer 11',
    agent: 'Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko',
    gets: 'checkout',
  },
  {
    who: 'a phone of the brand CUBOT',
    agent:
      'Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Mobile Safari/537.36',
    gets: 'checkout',
  },
  {
    who: 'Google app on iPhone',
    agent: `${IPHONE} GSA/317.0.634488990 Mobile/15E148 Safari/604.1`,
    gets: 'checkout',
  },
  {
    who: 'Chrome, in a frame',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-fetch-dest': 'frame' },
    gets: 'checkout',
  },
  {
    who: 'Chrome, in an iframe',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-fetch-dest': 'iframe' },
    gets: 'checkout',
  },
]

const builtIn: Asker[] = [
  {
    who: 'Instagram on iPhone',
    agent: `${IPHONE} Mobile/15E148 Instagram 334.0.4.32.98 (iPhone15,3; iOS 17_5_1; en_US; en; scale=3.00; 1290x2796; 602908573)`,
    gets: 'checkout',
  },
  {
    who: 'Instagram on Android',
    agent: `${PIXEL} Instagram 334.0.0.42.95 Android (34/14; 420dpi; 1080x2214; Google/google; Pixel 8; shiba; shiba; en_US; 604247829)`,
    headers: { ...NAVIGATION, 'x-requested-with': 'com.instagram.android' },
    gets: 'checkout',
  },
  {
    who: 'Facebook on iPhone',
    agent: `${IPHONE} Mobile/21F90 [FBAN/FBIOS;FBAV/466.0.0.33.108;FBBV/601987232;FBDV/iPhone15,3;FBMD/iPhone;FBSN/iOS;FBSV/17.5.1;FBSS/3;FBCR/;FBID/phone;FBLC/en_US;FBOP/80]`,
    gets: 'checkout',
  },
  {
    who: 'Facebook on Android',
    agent: `${PIXEL} [FB_IAB/FB4A;FBAV/465.0.0.48.82;]`,
    headers: NAVIGATION,
    gets: 'checkout',
  },
  {
    who: 'Messenger on iPhone',
    agent: `${IPHONE} Mobile/15E148 [FBAN/MessengerLiteForiOS;FBAV/459.0.0.43.109;FBBV/600553174;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5.1;FBSS/3;FBCR/;FBID/phone;FBLC/en;FBOP/0]`,
    gets: 'checkout',
  },
  {
    who: 'TikTok on iPhone',
    agent: `${IPHONE} Mobile/15E148 musical_ly_34.7.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en Region/US isDarkMode/1 WKWebView/1 RevealType/Dialog BytedanceWebview/d8a21c6`,
    gets: 'checkout',
  },
  {
    who: 'TikTok on Android',
    agent: `${PIXEL} musical_ly_2023407030 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly app_version/34.7.3 ByteLocale/en ByteFullLocale/en Region/US AppId/1233 Spark/1.5.9.1 AppVersion/34.7.3 BytedanceWebview/d8a21c6`,
    headers: NAVIGATION,
    gets: 'checkout',
  },
  {
    who: 'TikTok in Asia, on Android',
    agent: `${PIXEL} trill_330302 JsSdk/1.0 NetType/4G Channel/googleplay AppName/trill app_version/33.3.2 ByteLocale/id Region/ID AppId/1180 BytedanceWebview/d8a21c6`,
    gets: 'checkout',
  },
  {
    who: 'Gmail on iPhone',
    agent: `${IPHONE} GmailApp/6.0.240527 Mobile/15E148 Safari/604.1`,
    gets: 'checkout',
  },
  {
    who: 'Gmail on Android, in a tab of Chrome',
    agent:
      'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36',
    headers: { ...NAVIGATION, referer: 'android-app://com.google.android.gm/' },
    gets: 'checkout',
  },
  {
    who: 'WhatsApp on Android',
    agent: `${PIXEL} WhatsApp/2.24.10.85`,
    headers: { ...NAVIGATION, 'x-requested-with': 'com.whatsapp' },
    gets: 'checkout',
  },
  { who: 'LinkedIn on iPhone', agent: `${IPHONE} Mobile/15E148 [LinkedInApp]/9.29.6302`, gets: 'checkout' },
  {
    who: 'LinkedIn on Android',
    agent: `${PIXEL} [LinkedInApp]/4.1.939`,
    headers: NAVIGATION,
    gets: 'checkout',
  },
  { who: 'X on iPhone', agent: `${IPHONE} Mobile/15E148 Twitter for iPhone/10.43`, gets: 'checkout' },
  { who: 'X on Android', agent: `${PIXEL} TwitterAndroid`, headers: NAVIGATION, gets: 'checkout' },
  { who: 'Line', agent: `${IPHONE} Mobile/15E148 Safari Line/14.8.0`, gets: 'checkout' },
  {
    who: 'WeChat',
    agent: `${IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/en`,
    gets: 'checkout',
  },
  {
    who: 'Snapchat',
    agent: `${IPHONE} Mobile/15E148 Snapchat/12.88.0.34 (like Safari/8618.2.12.10.9, panda)`,
    gets: 'checkout',
  },
  { who: 'Pinterest on iPhone', agent: `${IPHONE} Mobile/15E148 [Pinterest/iOS]`, gets: 'checkout' },
  {
    who: 'Pinterest on Android',
    agent: `${PIXEL} [Pinterest/Android]`,
    headers: NAVIGATION,
    gets: 'checkout',
  },
  {
    who: 'Telegram on Android',
    agent: `${PIXEL} Telegram-Android/10.12.0 (Google Pixel 8; Android 14; SDK 34; HIGH)`,
    headers: NAVIGATION,
    gets: 'checkout',
  },
  {
    who: 'Reddit on iPhone',
    agent: `${IPHONE} Mobile/15E148 Reddit/Version 2024.21.0/Build 615163/iOS Version 17.5.1`,
    gets: 'checkout',
  },
]

const previews: Asker[] = [
  { who: 'Slack', agent: 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)', gets: 'preview' },
  { who: 'Slack, pictures', agent: 'Slack-ImgProxy (+https://api.slack.com/robots)', gets: 'preview' },
  {
    who: 'Discord',
    agent: 'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
    gets: 'preview',
  },
  { who: 'WhatsApp', agent: 'WhatsApp/2.23.20.0', gets: 'preview' },
  { who: 'WhatsApp on iPhone', agent: 'WhatsApp/2.24.10.75 i', gets: 'preview' },
  { who: 'Signal', agent: 'WhatsApp/2', gets: 'preview' },
  {
    who: 'iMessage',
    agent:
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0',
    gets: 'preview',
  },
  {
    who: 'Facebook',
    agent: 'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    gets: 'preview',
  },
  { who: 'Facebook, short name', agent: 'facebookexternalhit/1.1', gets: 'preview' },
  {
    who: 'Meta',
    agent: 'meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)',
    gets: 'preview',
  },
  { who: 'Telegram', agent: 'TelegramBot (like TwitterBot)', gets: 'preview' },
  {
    who: 'LinkedIn',
    agent: 'LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)',
    gets: 'preview',
  },
  { who: 'X', agent: 'Twitterbot/1.0', gets: 'preview' },
  {
    who: 'Teams and Skype',
    agent: 'Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com',
    gets: 'preview',
  },
  { who: 'Viber', agent: 'Viber/20.3.0.1', gets: 'preview' },
  { who: 'TikTok', agent: 'TikTok 34.7.0 rv:347018 (iPhone; iOS 17.5.1; en_US) Cronet', gets: 'preview' },
  {
    who: 'TikTok on Android',
    agent:
      'com.zhiliaoapp.musically/2023407030 (Linux; U; Android 14; en_US; Pixel 8; Build/AP1A.240505.005; Cronet/TTNetVersion:a3f8d0c8 2024-04-30)',
    gets: 'preview',
  },
  {
    who: 'TikTok in Asia, on Android',
    agent:
      'com.ss.android.ugc.trill/330302 (Linux; U; Android 13; id_ID; SM-A536E; Build/TP1A.220624.014; Cronet/TTNetVersion:a3f8d0c8 2024-02-07)',
    gets: 'preview',
  },
  {
    who: 'TikTok spider',
    agent: 'Mozilla/5.0 (compatible; TikTokSpider; ttspider-feedback@tiktok.com)',
    gets: 'preview',
  },
  { who: 'Word and Excel', agent: 'Mozilla/4.0 (compatible; ms-office; MSOffice 16)', gets: 'preview' },
  {
    who: 'Outlook on Windows',
    agent: 'Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17531; Pro)',
    gets: 'preview',
  },
  {
    who: 'Outlook with the engine of Internet Explorer',
    agent:
      'Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; ms-office)',
    gets: 'preview',
  },
  {
    who: 'Mastodon 4.2',
    agent: 'http.rb/5.1.1 (Mastodon/4.2.9; +https://mastodon.social/)',
    gets: 'preview',
  },
  {
    who: 'Mastodon 4.3',
    agent: 'Mastodon/4.3.1 (http.rb/5.2.0; +https://mastodon.social/)',
    gets: 'preview',
  },
  { who: 'Iframely', agent: 'Iframely/1.3.1 (+https://iframely.com/docs/about)', gets: 'preview' },
  {
    who: 'Pinterest',
    agent: 'Mozilla/5.0 (compatible; Pinterestbot/1.0; +http://www.pinterest.com/bot.html)',
    gets: 'preview',
  },
  {
    who: 'Reddit',
    agent: 'Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)',
    gets: 'preview',
  },
  {
    who: 'Bluesky',
    agent: 'Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; mailto:support@bsky.app)',
    gets: 'preview',
  },
  {
    who: 'Gmail, pictures',
    agent: 'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)',
    gets: 'preview',
  },
  { who: 'Bing preview', agent: `${CHROME} BingPreview/1.0b`, gets: 'preview' },
]

const crawlers: Asker[] = [
  {
    who: 'Googlebot',
    agent: 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    gets: 'preview',
  },
  {
    who: 'Googlebot, desktop',
    agent:
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/125.0.6422.113 Safari/537.36',
    gets: 'preview',
  },
  {
    who: 'Googlebot, mobile',
    agent:
      'Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.6422.113 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    gets: 'preview',
  },
  { who: 'AdsBot-Google', agent: 'AdsBot-Google (+http://www.google.com/adsbot.html)', gets: 'preview' },
  {
    who: 'Google Shopping',
    agent:
      'Mozilla/5.0 (X11; Linux x86_64; Storebot-Google/1.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.88 Safari/537.36',
    gets: 'preview',
  },
  {
    who: 'Bingbot',
    agent:
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36',
    gets: 'preview',
  },
  {
    who: 'Applebot',
    agent:
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)',
    gets: 'preview',
  },
  {
    who: 'YandexBot',
    agent: 'Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)',
    gets: 'preview',
  },
  {
    who: 'GPTBot',
    agent:
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)',
    gets: 'preview',
  },
  {
    who: 'ClaudeBot',
    agent:
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)',
    gets: 'preview',
  },
  {
    who: 'AhrefsBot',
    agent: 'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
    gets: 'preview',
  },
  {
    who: 'Baiduspider',
    agent: 'Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)',
    gets: 'preview',
  },
]

const tools: Asker[] = [
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
    who: 'a browser without a window',
    agent:
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36',
    headers: NAVIGATION,
    gets: 'checkout',
  },
  { who: 'an app on iPhone', agent: 'Shop/412 CFNetwork/1496.0.7 Darwin/23.5.0', gets: 'checkout' },
  { who: 'a shopping agent of no known kind', agent: 'BuyerAgent/1.0', gets: 'checkout' },
  { who: 'words that are no agent', agent: 'hello there', gets: 'checkout' },
  { who: 'no agent at all', gets: 'checkout' },
  { who: 'an empty agent', agent: '', gets: 'checkout' },
]

const refused: Asker[] = [
  {
    who: 'Chrome, prefetch',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-purpose': 'prefetch' },
    gets: 'not now',
  },
  {
    who: 'Chrome, prerender',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-purpose': 'prefetch;prerender' },
    gets: 'not now',
  },
  {
    who: 'Chrome, prefetch through a proxy',
    agent: CHROME,
    headers: { ...NAVIGATION, 'sec-purpose': 'prefetch;anonymous-client-ip' },
    gets: 'not now',
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
    gets: 'not now',
  },
  {
    who: 'Chrome before Sec-Purpose',
    agent: CHROME,
    headers: { ...NAVIGATION, purpose: 'prefetch' },
    gets: 'not now',
  },
  {
    who: 'Safari, prefetch',
    agent: SAFARI,
    headers: { ...SAFARI_NAVIGATION, 'sec-purpose': 'prefetch' },
    gets: 'not now',
  },
  { who: 'Firefox, prefetch', agent: FIREFOX, headers: { 'x-moz': 'prefetch' }, gets: 'not now' },
  {
    who: 'Chrome, <img>',
    agent: CHROME,
    headers: { 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' },
    gets: 'no part',
  },
  {
    who: "Chrome, a page's fetch",
    agent: CHROME,
    headers: { 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors' },
    gets: 'no part',
  },
  {
    who: 'Firefox, <script>',
    agent: FIREFOX,
    headers: { 'sec-fetch-dest': 'script', 'sec-fetch-mode': 'no-cors' },
    gets: 'no part',
  },
  {
    who: 'Safari, <link rel=stylesheet>',
    agent: SAFARI,
    headers: { 'sec-fetch-dest': 'style', 'sec-fetch-mode': 'no-cors' },
    gets: 'no part',
  },
  {
    who: 'Chrome, <embed>',
    agent: CHROME,
    headers: { 'sec-fetch-dest': 'embed', 'sec-fetch-mode': 'navigate' },
    gets: 'no part',
  },
  { who: 'Chrome, HEAD', agent: CHROME, headers: NAVIGATION, method: 'HEAD', gets: 'told' },
  { who: 'curl --head', agent: 'curl/8.5.0', method: 'HEAD', gets: 'told' },
  { who: 'a link checker', agent: 'W3C-checklink/5.0.0 libwww-perl/6.77', method: 'HEAD', gets: 'told' },
]

/** All of them. */
export const ASKERS: readonly Asker[] = [
  ...browsers,
  ...builtIn,
  ...previews,
  ...crawlers,
  ...tools,
  ...refused,
]
