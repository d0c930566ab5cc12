import { html } from 'ghtml'
import { webUrl } from './link.ts'
import type { Shop } from './shop.ts'

export interface Action {
  label: string
  /** A path of this site or an http(s) URL; the link is left out where it is neither. */
  url: string | undefined
  /** Leads on; of the others there may be several. */
  primary?: boolean
}

/** The links under a message, the buttons among them first; nothing where no link is left. */
export function actionLinks(shop: Shop, actions: readonly Action[]): string {
  const links = actions.flatMap(({ label, url, primary }) => {
    const href = webUrl(shop, url)
    if (href === undefined) return []
    return html`<a class="${primary === true ? 'button' : 'quiet'}" href="${href}" rel="nofollow">${label}</a>`
  })
  return links.length === 0 ? '' : html`<p class="actions">!${links}</p>`
}

export interface MessageCard {
  heading: string
  /** Small line above the heading. */
  kicker?: string
  /** A fragment made with `html`: it is not escaped again. */
  content: string
  reference?: string
  /** Draws the tick of a payment that is complete. */
  tick?: boolean
}

/** The card that holds a page's one message, its heading the only `h1`. */
export function messageCard({ heading, kicker, content, reference, tick }: MessageCard): string {
  return html`<article class="card" aria-labelledby="heading">
!${tick === true ? TICK : ''}
!${kicker === undefined ? '' : html`<p class="kicker">${kicker}</p>`}
<h1 id="heading">${heading}</h1>
!${content}
!${reference === undefined ? '' : html`<p class="reference">Reference number <code>${reference}</code></p>`}
</article>`
}

const TICK =
  '<svg class="tick" viewBox="0 0 24 24" width="44" height="44" aria-hidden="true" focusable="false">' +
  '<path d="M5 12.5l4.6 4.6L19 7.6" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>'
