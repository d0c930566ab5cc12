import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { FAVICON_PATH, stylesheetPath } from './stylesheet.ts'
import { text } from './text.ts'

/** After how many seconds a page loads which URL by itself, without a script. The URL must be safe for a browser. */
export interface Refresh {
  seconds: number
  url: string
}

interface LayoutParts {
  /** Comes before the shop's name in the browser's tab. */
  title: string
  /** A fragment made with `html`: it is not escaped again. So is `head`. */
  body: string
  refresh?: Refresh
  /** Search engines may list the page; by default they are asked not to. */
  index?: boolean
  head?: string
  /** For pages with many products; other pages are narrow, so that lines are easy to read. */
  wide?: boolean
  /** What the buyer's link said, for the link to the shop. */
  query?: string
}

/**
 * The whole document of a page. It needs no script and no inline style, for a content security policy without
 * `unsafe-inline`. All text is escaped; URLs have been checked where they were read. Never throws.
 */
export function layout(shop: Shop, { title, body, refresh, index, head, wide, query }: LayoutParts): string {
  const { name, logoUrl, supportEmail, legalLinks = [] } = shop
  return html`<!doctype html>
<html lang="${text.lang}">
<head>
<meta charset="utf-8">
<title>${title} · ${name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
!${index ? '' : '<meta name="robots" content="noindex">'}
!${refresh && html`<meta http-equiv="refresh" content="${Math.max(1, Math.ceil(refresh.seconds))}; url=${refresh.url}">`}
<link rel="icon" href="${logoUrl ?? FAVICON_PATH}">
<link rel="stylesheet" href="${stylesheetPath(shop)}">
!${head}
</head>
<body class="${wide ? 'wide' : 'narrow'}">
<header class="masthead">
<a class="shop" href="${pathTo('/', query)}">!${logoUrl ? html`<img src="${logoUrl}" alt="${name}" height="40">` : html`<span dir="auto">${name}</span>`}</a>
</header>
<main>
!${body}
</main>
<footer class="colophon">
!${legalLinks.length > 0 ? html`<ul class="legal" role="list">!${legalLinks.map(({ label, url }) => html`<li><a href="${url}"><span dir="auto">${label}</span></a></li>`)}</ul>` : ''}
!${supportEmail && html`<p>${text.questions} <a href="${mailtoUrl(supportEmail)}">${supportEmail}</a></p>`}
<p class="maker">dots-buy-links</p>
</footer>
</body>
</html>
`
}

/** A path of the shop with a query behind it, where there is one. */
export function pathTo(path: string, query = ''): string {
  return query === '' ? path : `${path}?${query}`
}

/** A `mailto:` link (RFC 6068). */
export function mailtoUrl(email: string, subject?: string): string {
  const to = `mailto:${encodeURIComponent(email).replace('%40', '@')}`
  return subject === undefined ? to : `${to}?subject=${encodeURIComponent(subject.toWellFormed())}`
}

interface MessageCard {
  heading: string
  /** Small line above the heading. */
  kicker?: string
  /** A fragment made with `html`: it is not escaped again. */
  content: string
  /** Left out where there is no value. */
  reference?: { label: string; value?: string }
  /** Draws the tick of a payment that is complete. */
  tick?: boolean
}

const TICK =
  '<svg class="tick" viewBox="0 0 24 24" width="44" height="44" aria-hidden="true" focusable="false">' +
  '<path d="M5 12.5l4.6 4.6L19 7.6" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>'

/** The card with a page's one message; its heading is the only `h1`. */
export function messageCard({ heading, kicker, content, reference, tick }: MessageCard): string {
  return html`<article class="card" aria-labelledby="heading">
!${tick ? TICK : ''}
!${kicker && html`<p class="kicker">${kicker}</p>`}
<h1 id="heading">${heading}</h1>
!${content}
!${reference?.value && html`<p class="reference">${reference.label} <code>${reference.value}</code></p>`}
</article>`
}

/** The links under a message: the first one with a URL as a button, and last the shop. */
export function actionLinks(
  actions: readonly { label: string; url?: string; waits?: string }[],
  { toShop = true, query = '' } = {},
) {
  const links = actions
    .filter(({ url }) => url !== undefined)
    .map(
      ({ label, url, waits = '' }, index) =>
        html`<a class="${index === 0 ? 'button' : 'quiet'}${waits && ` ${waits}`}" href="${url}" rel="nofollow">${label}</a>`,
    )
  return html`<p class="actions">!${links}!${toShop ? html`<a class="quiet" href="${pathTo('/', query)}">${text.goToShop}</a>` : ''}</p>`
}
