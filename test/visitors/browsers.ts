import {
  CHROME,
  type Client,
  FIREFOX,
  IPHONE,
  NAVIGATION,
  PIXEL,
  SAFARI,
  SAFARI_NAVIGATION,
} from './client.ts'

export const browsers: Client[] = [
  { who: 'Chrome on Windows', agent: CHROME, headers: NAVIGATION, gets: 'checkout' },
  {
    who: 'Chrome with a tool that adds text to its name',
    agent: `${CHROME} ||| ReqID: 9 | Initiator: https://tool.example`,
    headers: NAVIGATION,
    gets: 'checkout',
  },
  {
    who: 'Chrome behind a proxy that adds its address',
    agent: `${CHROME} | via http://proxy.example`,
    gets: 'checkout',
  },
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

export const builtIn: Client[] = [
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
