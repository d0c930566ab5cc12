import { createHash } from 'node:crypto'
import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { parseHex, readableOn, textOn } from './contrast.ts'
import { text } from './text.ts'

// A green that reads well on white and on near-black.
const DEFAULT_ACCENT = '#1d6b4f'

// The page and the card of each mode. The other colours are chosen for these; the accent is fitted to them.
const LIGHT = { page: '#f5f6f7', card: '#ffffff' }
const DARK = { page: '#101214', card: '#191c1f' }

// The same ratio looks dimmer on near-black than on white: links there get more than AA asks for.
const DARK_TEXT_CONTRAST = 6.5

/**
 * The CSS of every page, in light and dark. `accent` (`#rrggbb`) fills the buttons as it is; where text has
 * this colour, it is darkened or lightened until it meets AA.
 */
export function stylesheet(accent = DEFAULT_ACCENT): string {
  const color = parseHex(accent)
  return `:root {
  color-scheme: light dark;
  --page: ${LIGHT.page}; --card: ${LIGHT.card}; --ink: #16191d; --muted: #59616b; --line: #dde1e5;
  --accent: rgb(${color.join(' ')}); --on-accent: ${textOn(color)};
  --accent-ink: ${readableOn(color, Object.values(LIGHT))};
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: ${DARK.page}; --card: ${DARK.card}; --ink: #eceef0; --muted: #a3abb4; --line: #2f353a;
    --accent-ink: ${readableOn(color, Object.values(DARK), DARK_TEXT_CONTRAST)};
  }
}
${RULES}`
}

/** Seconds for which a button can be hidden. A style attribute could have any, but the content security policy forbids it. */
const WAITS = [1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50, 60, 90, 120, 180, 300, 600, 900, 1800, 3600]

/** The classes of a link that appears after this time, or up to a quarter later; undefined for more than an hour. */
export function waitClass(seconds: number): string | undefined {
  const step = WAITS.find((wait) => wait >= seconds)
  return step === undefined ? undefined : `waiting wait-${step}`
}

const RULES = `*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: flex; flex-direction: column;
  background: var(--page); color: var(--ink);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
h1, h2, p, ul, table { margin: 0; }
h1 { font-size: clamp(1.625rem, 1.3rem + 1.6vw, 2.125rem); line-height: 1.2; letter-spacing: -0.02em; font-weight: 650; text-wrap: balance; }
h2 { font-size: 1.125rem; line-height: 1.35; font-weight: 600; letter-spacing: -0.005em; }
p { text-wrap: pretty; }
img { max-width: 100%; }
a { color: var(--accent-ink); text-underline-offset: 0.2em; text-decoration-thickness: 0.06em; }
a:hover { text-decoration-thickness: 0.12em; }
:focus-visible { outline: 3px solid var(--accent-ink); outline-offset: 3px; border-radius: 0.375rem; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 0.9375em; color: var(--ink); user-select: all; }

.masthead, main, .colophon { width: 100%; margin-inline: auto; padding-inline: clamp(1rem, 5vw, 2rem); }
.narrow > * { max-width: 38rem; }
.wide > * { max-width: 70rem; }
.masthead { padding-block: clamp(1.5rem, 5vw, 3rem) clamp(1.25rem, 3vw, 2rem); }
.shop { display: inline-flex; align-items: center; gap: 0.75rem; min-height: 2.75rem; color: var(--ink); font-weight: 600; text-decoration: none; }
.shop:hover { text-decoration: underline; }
.shop img { height: 2.5rem; width: auto; max-width: min(16rem, 70vw); object-fit: contain; object-position: left; }
main { flex: 1; }
.colophon {
  display: flex; flex-wrap: wrap; gap: 0.25rem 2rem; justify-content: space-between;
  padding-block: clamp(2rem, 6vw, 3.5rem) 2rem; color: var(--muted); font-size: 0.9375rem;
}
.colophon a { color: inherit; }
.legal { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; }
.maker { font-size: 0.8125rem; }

.card { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: clamp(1.5rem, 6vw, 3rem); }
.card > * + *, .card form > * + * { margin-block-start: 1.25rem; }
.kicker + h1 { margin-block-start: 0.375rem; }
.kicker, .each, .help, .reference { color: var(--muted); font-size: 0.9375rem; }
.lead { font-size: 1.125rem; }
.prose { white-space: pre-line; }
.assurance { padding: 0.75rem 1rem; border-inline-start: 3px solid var(--accent-ink); background: var(--page); border-radius: 0.25rem; font-weight: 600; }
.reference { padding-block-start: 1.25rem; border-block-start: 1px solid var(--line); }
.tick { display: block; color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent-ink); border-radius: 50%; padding: 0.5rem; }

.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 0.75rem 1.5rem; }
.card > .actions, .card form > .actions { margin-block-start: 2rem; }
.button {
  display: inline-flex; align-items: center; justify-content: center; min-height: 3rem; padding: 0.5rem 1.5rem;
  font: inherit; font-weight: 600; line-height: 1.25; text-align: center; text-decoration: none; cursor: pointer;
  color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent-ink); border-radius: 0.625rem;
}
.button:hover { text-decoration: underline; box-shadow: 0 0 0 2px var(--card), 0 0 0 3px var(--accent-ink); }
.button:focus-visible { border-radius: 0.625rem; }
.quiet { display: inline-flex; align-items: center; min-height: 2.75rem; }

.order { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.order th { font-weight: 500; text-align: start; }
.order td { text-align: end; white-space: nowrap; overflow-wrap: normal; padding-inline-start: 1.5rem; }
.order tbody th, .order tbody td, .order tfoot th, .order tfoot td { padding-block: 0.75rem; vertical-align: top; border-block-start: 1px solid var(--line); }
.order tfoot th, .order tfoot td { font-weight: 650; font-size: 1.125rem; }
.each { display: block; font-weight: 400; }

.products { list-style: none; padding: 0; margin-block-start: clamp(1.5rem, 4vw, 2.5rem); display: grid; gap: clamp(1rem, 2.5vw, 1.75rem); grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); }
main > * + * { margin-block-start: 1.5rem; }
.product { display: flex; flex-direction: column; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; overflow: hidden; }
.picture { display: block; width: 100%; height: auto; aspect-ratio: 4 / 3; object-fit: cover; background: var(--page); color: var(--muted); }
.blank { display: grid; place-items: center; font-size: 3rem; font-weight: 300; border-block-end: 1px solid var(--line); }
.details { flex: 1; display: flex; flex-direction: column; gap: 0.5rem; padding: 1.5rem; }
.details h2 a { color: inherit; }
.description { color: var(--muted); font-size: 0.9375rem; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden; }
.offer { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.75rem 1rem; margin-block-start: auto; padding-block-start: 0.75rem; }
.price { font-size: 1.1875rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.pages { display: flex; align-items: center; justify-content: space-between; gap: 1rem; margin-block-start: 2.5rem; color: var(--muted); }
.pages a { display: inline-flex; align-items: center; min-height: 2.75rem; }
.pages > * { min-width: 5rem; text-align: center; }
.pages > :first-child { text-align: start; }
.pages > :last-child { text-align: end; justify-content: flex-end; }

.detail .picture { border-radius: 0.625rem; }
.detail > .price { margin-block-start: 0.5rem; }
.field { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; }
.field .each { display: inline; }
label { font-weight: 600; }
input[type="number"] { width: 6.5rem; min-height: 3rem; padding: 0.5rem 0.75rem; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--muted); border-radius: 0.625rem; }

.named { border-block: 1px solid var(--line); padding-block: 1.25rem; }
.named img { float: inline-end; width: 6rem; height: auto; border-radius: 0.625rem; }
.named > * + * { margin-block-start: 0.75rem; }
.saved-cart { margin-block-end: 1.5rem; }
.saved-cart .actions button.quiet { border: 0; padding: 0; background: none; font: inherit; color: var(--accent-ink); text-decoration: underline; cursor: pointer; }
#similar + ul { margin-block-start: 0.5rem; padding-inline-start: 1.25rem; }
.sold-out { color: var(--muted); font-weight: 600; }
.waiting { visibility: hidden; animation: appear 1ms forwards; }
@keyframes appear { to { visibility: visible; } }
${WAITS.map((seconds) => `.wait-${seconds} { animation-delay: ${seconds}s; }`).join('\n')}
.visually-hidden { position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0; }
@media (max-width: 26rem) { .card > .actions .button, .card form > .actions .button { width: 100%; } }
@media print { .actions, .pages, .maker { display: none; } .card { border: 0; padding: 0; } }
`

export const FAVICON_PATH = '/favicon.svg'

/** An icon for the browser's tab: the first letter of the shop's name on the accent colour. */
export function favicon({ name, accentColor = DEFAULT_ACCENT }: Shop): string {
  const [initial = ''] = Array.from(
    new Intl.Segmenter(text.lang).segment(name.trim()),
    ({ segment }) => segment,
  )
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="${accentColor}"/><text x="16" y="23" font-family="sans-serif" font-size="20" font-weight="bold" text-anchor="middle" fill="${textOn(parseHex(accentColor))}">${initial.toUpperCase()}</text></svg>`
}

const paths = new WeakMap<Shop, string>()

/** Where the shop's stylesheet is served: the name changes with the content, so it may be cached for ever. */
export function stylesheetPath(shop: Shop): string {
  let path = paths.get(shop)
  if (path === undefined) {
    const hash = createHash('sha256').update(stylesheet(shop.accentColor)).digest('hex')
    path = `/assets/style-${hash.slice(0, 16)}.css`
    paths.set(shop, path)
  }
  return path
}

/** A buy link as a button for email: a table with inline styles, since mail programs drop stylesheets. */
export function emailButton(link: string, background = DEFAULT_ACCENT): string {
  return html`<table role="presentation" border="0" cellpadding="0" cellspacing="0"><tr><td align="center" bgcolor="${background}" style="border-radius:6px;background:${background}">\n<a href="!${inLines(attribute(link))}" target="_blank" style="display:inline-block;padding:14px 28px;font-family:Arial,sans-serif;font-size:16px;font-weight:bold;color:${textOn(parseHex(background))};text-decoration:none">${text.emailButton}</a></td></tr></table>`
}

/** With the rest of its tag that is less than the 998 octets that a line of mail may have (RFC 5322, 2.1.1). */
const MAX_LINE_LENGTH = 600

/** Breaks a long URL, never in an escape or entity. Line breaks in a URL are ignored (WHATWG URL, basic URL parser). */
function inLines(url: string): string {
  const lines = ['']
  for (const [part] of url.matchAll(/&[a-z]+;|%[0-9A-F]{2}|./gis)) {
    if ((lines.at(-1) ?? '').length + part.length > MAX_LINE_LENGTH) lines.push('')
    lines.push((lines.pop() ?? '') + part)
  }
  return lines.join('\n')
}

/** Escapes as little as possible: some mail tools that rewrite links cannot read `&#61;`. */
function attribute(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
