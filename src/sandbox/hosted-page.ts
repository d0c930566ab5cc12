import { html } from 'ghtml'
import type { SandboxSession } from './sessions.ts'

/** Where the stylesheet is served: the policy below allows no inline style. */
export const STYLESHEET_PATH = '/checkout.css'

/**
 * `form-action` names whole schemes, because Chromium checks the redirects that follow a form as well, and a shop may
 * redirect once more from its own success page.
 */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
} as const

export const STYLESHEET = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0 }
.banner { background: #7a4100; color: #fff; padding: .75rem 1rem; text-align: center }
main { max-width: 32rem; margin: 0 auto; padding: 1rem }
table { width: 100%; border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .5rem .25rem; border-bottom: 1px solid #8888; overflow-wrap: anywhere }
.number { text-align: right; white-space: nowrap }
.about { font-size: .9rem; opacity: .8; margin: 0; white-space: pre-line }
label { display: block; font-weight: 600 }
input { font: inherit; box-sizing: border-box; width: 100%; padding: .6rem; margin: .25rem 0 1rem }
button { font: inherit; width: 100%; min-height: 3rem; margin-bottom: .75rem; border: 1px solid #0b5; border-radius: .4rem; cursor: pointer }
.pay { background: #064; color: #fff; font-weight: 600 }
.quiet { background: transparent; color: inherit; border-color: #888 }
:focus-visible { outline: 3px solid #39f; outline-offset: 2px }
.problem { border-left: .3rem solid #c33; padding-left: .75rem }
`

/** The page of one session: what is bought and the buttons while it is open, else what became of it. */
export function checkoutPage(session: SandboxSession, problem = ''): string {
  if (session.status === 'complete') {
    return layout(
      'Paid',
      html`<p>This checkout is paid (pretend money). You may close this page.</p>
        !${summary(session)}
        <p><a href="${session.success_url}" rel="noreferrer">Back to the shop</a></p>`,
    )
  }
  if (session.status === 'expired') {
    return layout(
      'Expired',
      html`<p>This checkout has expired. Nothing was paid.</p>
        !${session.cancel_url === null ? '' : html`<p><a href="${session.cancel_url}" rel="noreferrer">Back to the shop</a></p>`}`,
    )
  }
  return layout(
    'Checkout',
    html`!${problem === '' ? '' : html`<p class="problem" role="alert">${problem}</p>`}
      !${summary(session)}
      <form method="post" action="/checkout/${session.id}/pay">
        <label for="email">Email (optional)</label>
        <input id="email" name="email" type="email" autocomplete="email" value="${session.customer_email ?? ''}">
        <button class="pay" name="after" value="return">Pay ${dollars(session.amount_total)}</button>
        <button class="quiet" name="after" value="close">Pay and close the tab</button>
      </form>
      !${
        session.cancel_url === null
          ? ''
          : html`<form method="post" action="/checkout/${session.id}/cancel">
              <button class="quiet">Cancel</button>
            </form>`
      }`,
  )
}

/** The page for an address that is no checkout. */
export function notFoundPage(): string {
  return layout(
    'Not found',
    html`<p>There is no such checkout. The sandbox forgets all of them when it stops.</p>`,
  )
}

function summary(session: SandboxSession): string {
  return html`<table>
    <thead>
      <tr><th scope="col">Item</th><th scope="col" class="number">Quantity</th><th scope="col" class="number">Each</th></tr>
    </thead>
    <tbody>
      !${session.asked.line_items.map(
        ({ price_data: { product_data: product, amount }, quantity }) => html`<tr>
          <td>${product.name}!${product.description ? html`<p class="about">${product.description}</p>` : ''}</td>
          <td class="number">${quantity}</td>
          <td class="number">${dollars(amount)}</td>
        </tr>`,
      )}
    </tbody>
    <tfoot>
      <tr><th scope="row" colspan="2">Total</th><td class="number"><strong>${dollars(session.amount_total)}</strong></td></tr>
    </tfoot>
  </table>`
}

function layout(title: string, content: string): string {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title} (SANDBOX)</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="${STYLESHEET_PATH}">
  </head>
  <body>
    <header class="banner"><strong>SANDBOX</strong>: a stand-in for Dots. No real money moves here.</header>
    <main>
      <h1>${title}</h1>
      !${content}
    </main>
  </body>
</html>
`
}

function dollars(cents: number): string {
  return new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' }).format(cents / 100)
}
