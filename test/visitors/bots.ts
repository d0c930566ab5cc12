import { CHROME, type Client } from './client.ts'

export const previews: Client[] = [
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
  { who: 'Meta, on behalf of a person', agent: 'meta-externalfetcher/1.1', gets: 'preview' },
  { who: 'Meta, its index', agent: 'meta-webindexer/1.1', gets: 'preview' },
  // Scanners of mails, by what their names have in common (https://check.live-direct-marketing.online/blog/bot-clicks-security-scanners-detect).
  ...[
    'Barracuda Sentinel (EE)',
    'proofpoint',
    'Mozilla/5.0 (compatible; Mimecast)',
    'CiscoSecureEmail',
    'TMES',
    'Sophos',
  ].map((agent): Client => ({ who: 'a scanner of mails', agent, gets: 'preview' })),
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

export const crawlers: Client[] = [
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
