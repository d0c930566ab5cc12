import { html } from 'ghtml'
import { mailtoUrl, webUrl } from './link.ts'
import type { Shop } from './shop.ts'
import { stylesheetPath } from './stylesheet.ts'

export interface LayoutParts {
  /** Stands before the shop's name in the browser's tab. */
  title: string
  /** A fragment made with `html`: it is not escaped again. */
  body: string
  /** Reloads the page after the seconds, or goes to the url, without a script. */
  refresh?: { seconds: number; url?: string }
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
 */
export function layout(shop: Shop, { title, body, refresh, index, head, wide }: LayoutParts): string {
  const contact = mailtoUrl(shop.supportEmail)
  const logo = webUrl(shop, shop.logoUrl)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · ${shop.name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
!${index === true ? '' : '<meta name="robots" content="noindex">'}
!${refresh === undefined ? '' : refreshTag(shop, refresh)}
<link rel="stylesheet" href="${stylesheetPath(shop)}">
!${head ?? ''}
</head>
<body class="${wide === true ? 'wide' : 'narrow'}">
<header class="masthead">
<a class="shop" href="/">!${logo === undefined ? '' : html`<img src="${logo}" alt="" height="32">`}<span dir="auto">${shop.name}</span></a>
</header>
<main>
!${body}
</main>
<footer class="colophon">
!${contact === undefined ? '' : html`<p>Questions? <a href="${contact}">${shop.supportEmail}</a></p>`}
<p class="maker">dots-buy-links</p>
</footer>
</body>
</html>
`
}

function refreshTag(shop: Shop, { seconds, url }: { seconds: number; url?: string }): string {
  const target = webUrl(shop, url)
  // A refused address must not turn into a page that reloads itself instead.
  if (!Number.isFinite(seconds) || (url !== undefined && target === undefined)) return ''
  const wait = Math.max(1, Math.ceil(seconds))
  return html`<meta http-equiv="refresh" content="${target === undefined ? wait : `${wait}; url=${target}`}">`
}
