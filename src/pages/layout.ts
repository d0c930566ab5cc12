import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { stylesheetPath } from './stylesheet.ts'
import { text } from './text.ts'

/** When a page goes to a URL without a script. The URL must be safe to send a browser to. */
export interface Refresh {
  seconds: number
  url: string
}

interface LayoutParts {
  /** Stands before the shop's name in the browser's tab. */
  title: string
  /** A fragment made with `html`: it is not escaped again. */
  body: string
  refresh?: Refresh
  /** Search engines may list the page; by default they are asked not to. */
  index?: boolean
  /** A fragment for the head, made with `html`: it is not escaped again. */
  head?: string
  /** For pages with many products; the others keep to the width of a line that reads well. */
  wide?: boolean
}

/**
 * The whole document of a page: head, the shop's name, the body in `main`, the merchant's contact. It needs no
 * script and no inline style, so that a policy without `unsafe-inline` holds. Never throws.
 *
 * All text is escaped. URLs are printed as they are: configuration, catalog and the Dots client have checked them.
 */
export function layout(shop: Shop, { title, body, refresh, index, head, wide }: LayoutParts): string {
  const { name, logoUrl, supportEmail } = shop
  return html`<!doctype html>
<html lang="${text.lang}">
<head>
<meta charset="utf-8">
<title>${title} · ${name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
!${index ? '' : '<meta name="robots" content="noindex">'}
!${refresh && html`<meta http-equiv="refresh" content="${Math.max(1, Math.ceil(refresh.seconds))}; url=${refresh.url}">`}
<link rel="stylesheet" href="${stylesheetPath(shop)}">
!${head}
</head>
<body class="${wide ? 'wide' : 'narrow'}">
<header class="masthead">
<a class="shop" href="/">!${logoUrl && html`<img src="${logoUrl}" alt="" height="32">`}<span dir="auto">${name}</span></a>
</header>
<main>
!${body}
</main>
<footer class="colophon">
!${supportEmail && html`<p>${text.questions} <a href="${mailtoUrl(supportEmail)}">${supportEmail}</a></p>`}
<p class="maker">dots-buy-links</p>
</footer>
</body>
</html>
`
}

/** A `mailto:` link (RFC 6068) to an email that the configuration has checked. */
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
  reference?: { label: string; value: string }
  /** Draws the tick of a payment that is complete. */
  tick?: boolean
}

const TICK =
  '<svg class="tick" viewBox="0 0 24 24" width="44" height="44" aria-hidden="true" focusable="false">' +
  '<path d="M5 12.5l4.6 4.6L19 7.6" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>'

/** The card that holds a page's one message, its heading the only `h1`. */
export function messageCard({ heading, kicker, content, reference, tick }: MessageCard): string {
  return html`<article class="card" aria-labelledby="heading">
!${tick ? TICK : ''}
!${kicker && html`<p class="kicker">${kicker}</p>`}
<h1 id="heading">${heading}</h1>
!${content}
!${reference && html`<p class="reference">${reference.label} <code>${reference.value}</code></p>`}
</article>`
}

export interface Action {
  label: string
  /** The action is left out where there is none. */
  url?: string
}

/** The links under a message: the first action as a button, and last the shop. */
export function actionLinks(actions: readonly Action[], { toShop = true } = {}): string {
  const links = actions
    .filter(({ url }) => url !== undefined)
    .map(
      ({ label, url }, index) =>
        html`<a class="${index === 0 ? 'button' : 'quiet'}" href="${url}" rel="nofollow">${label}</a>`,
    )
  return html`<p class="actions">!${links}!${toShop ? html`<a class="quiet" href="/">${text.goToShop}</a>` : ''}</p>`
}
