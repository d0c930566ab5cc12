import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { html } from 'ghtml'
import type { Payment, SandboxSession } from './sessions.ts'

/** Where the stylesheet is served: the policy below allows no inline style. */
const STYLESHEET_PATH = '/checkout.css'

/**
 * `form-action` names whole schemes, because Chromium checks the redirects that follow a form as well, and a shop may
 * redirect once more from its own success page.
 */
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
}

const STYLESHEET = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
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

const NO_SUCH_CHECKOUT = '<p>There is no such checkout. The sandbox forgets all of them when it stops.</p>'
const dollars = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'usd' })

interface HostedPageOptions {
  find: (sessionId: string) => SandboxSession | undefined
  pay: (sessionId: string, payment: Payment) => Promise<void>
}

type PageRequest = FastifyRequest<{ Params: { id: string } }>
type PageAnswer = (session: SandboxSession, reply: FastifyReply, request: PageRequest) => unknown

/** The hosted page: shows a session, pays it, or sends the buyer back. */
export const hostedPage: FastifyPluginAsync<HostedPageOptions> = async (app, { find, pay }) => {
  const notFound = (reply: FastifyReply) => sendPage(reply, 404, layout('Not found', NO_SUCH_CHECKOUT))
  const page = (url: string, methods: readonly string[], answer: PageAnswer) =>
    app.all(url, (request: PageRequest, reply) => {
      const session = find(request.params.id)
      if (!session) return notFound(reply)
      if (!methods.includes(request.method))
        return sendPage(reply.header('allow', methods.join(', ')), 405, layout('Method not allowed', ''))
      // The session was paid in another tab, or has expired: show its current state.
      const isTooLate = request.method === 'POST' && session.status !== 'open'
      return isTooLate ? sendPage(reply, 409, checkoutPage(session)) : answer(session, reply, request)
    })

  app.get(STYLESHEET_PATH, (_request, reply) => reply.type('text/css; charset=utf-8').send(STYLESHEET))
  page('/checkout/:id', ['GET', 'HEAD'], (session, reply) => sendPage(reply, 200, checkoutPage(session)))
  page('/checkout/:id/pay', ['POST'], async (session, reply, { body }) => {
    const form = new URLSearchParams(typeof body === 'string' ? body : '')
    const email = form.get('email')?.trim() ?? ''
    if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email))
      return sendPage(reply, 400, checkoutPage(session, 'Please check the email address.'))
    await pay(session.id, { email })
    if (form.get('after') === 'close') return sendPage(reply, 200, checkoutPage(session))
    return seeOther(reply, session.success_url)
  })
  page('/checkout/:id/cancel', ['POST'], ({ cancel_url }, reply) =>
    cancel_url === null ? notFound(reply) : seeOther(reply, cancel_url),
  )
  app.setNotFoundHandler((_request, reply) => notFound(reply))
}

function sendPage(reply: FastifyReply, status: number, page: string): FastifyReply {
  return reply.code(status).headers(PAGE_HEADERS).send(page)
}

function seeOther(reply: FastifyReply, url: string): FastifyReply {
  return reply.headers(PAGE_HEADERS).redirect(new URL(url).href, 303)
}

/** The page of one session: the items and the buttons while it is open, otherwise its outcome. */
function checkoutPage(session: SandboxSession, problem = ''): string {
  const { id, status, success_url, cancel_url, customer_email, amount_total } = session
  if (status === 'complete') {
    const paid = '<p>This checkout is paid (pretend money). You may close this page.</p>'
    return layout('Paid', paid + summary(session) + backLink(success_url))
  }
  if (status === 'expired')
    return layout('Expired', `<p>This checkout has expired. Nothing was paid.</p>${backLink(cancel_url)}`)
  const cancel = html`<form method="post" action="/checkout/${id}/cancel"><button class="quiet">Cancel</button></form>`
  const content = html`!${problem === '' ? '' : html`<p class="problem" role="alert">${problem}</p>`}
      !${summary(session)}
      <form method="post" action="/checkout/${id}/pay">
        <label for="email">Email (optional)</label>
        <input id="email" name="email" type="email" autocomplete="email" value="${customer_email ?? ''}">
        <button class="pay" name="after" value="return">Pay ${dollars.format(amount_total / 100)}</button>
        <button class="quiet" name="after" value="close">Pay and close the tab</button>
      </form>
      !${cancel_url === null ? '' : cancel}`
  return layout('Checkout', content)
}

function backLink(url: string | null): string {
  return url === null ? '' : html`<p><a href="${url}" rel="noreferrer">Back to the shop</a></p>`
}

function summary(session: SandboxSession): string {
  return html`<table>
    <tr>
      <th scope="col">Item</th><th scope="col" class="number">Quantity</th><th scope="col" class="number">Each</th>
    </tr>
      !${session.asked.line_items.map(
        ({ price_data: { product_data: product, amount }, quantity }) => html`<tr>
          <td>${product.name}!${product.description ? html`<p class="about">${product.description}</p>` : ''}</td>
          <td class="number">${quantity}</td>
          <td class="number">${dollars.format(amount / 100)}</td>
        </tr>`,
      )}
    <tr>
      <th scope="row" colspan="2">Total</th>
      <td class="number"><strong>${dollars.format(session.amount_total / 100)}</strong></td>
    </tr>
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
    <header class="banner"><strong>SANDBOX</strong>: this is not Dots itself. No real money moves here.</header>
    <main>
      <h1>${title}</h1>
      !${content}
    </main>
  </body>
</html>
`
}
