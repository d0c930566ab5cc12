import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { type CartForm, cartForm } from './confirm.ts'
import { actionLinks, layout, mailtoUrl, messageCard, pathTo } from './layout.ts'
import { formatMoney } from './money.ts'
import { orderSummary } from './order-summary.ts'
import { buyForm, type FormValues, type ProductOffer, type ShownProduct } from './product.ts'
import { waitClass } from './stylesheet.ts'
import { text, waitingTime } from './text.ts'

/** What the error page of a link offers to do next. */
export interface NextSteps {
  /** What the link said, as a query without `?`, for all links of the page; empty where it said nothing. */
  query: string
  /** The product that the link names; with the form where it can be bought. */
  offer?: { product: ProductOffer; form?: FormValues }
  /** The cart that the link names, with quantities that can be bought. */
  cart?: Omit<CartForm, 'locale'>
  /** Other products that the link names, and their pages. */
  named: readonly { name: string; url: string }[]
  /** Products on sale that are like the one that cannot be bought. */
  similar: readonly ShownProduct[]
}

interface Problem {
  title: string
  message: string
  /** HTTP status of the answer. */
  status: number
  /** Also on the log line of the request. */
  requestId: string
  tryAgainUrl?: string
  /** The link to try again appears when the time to wait is over. */
  tryAgainWaits?: boolean
  /** Shows that nothing was charged; only where that is certain. */
  notCharged?: boolean
  retryAfterSeconds?: number
  nextSteps?: NextSteps
  locale: string
}

const NO_STEPS: NextSteps = { query: '', named: [], similar: [] }

/** The error page. It never refreshes: each try could open a checkout. */
export function problemPage(shop: Shop, problem: Problem): string {
  const { title, message, status, requestId, notCharged, retryAfterSeconds, locale } = problem
  const { query, offer, cart, named, similar } = problem.nextSteps ?? NO_STEPS
  const words = text.problem
  const contact = shop.supportEmail && mailtoUrl(shop.supportEmail, `${words.reference} ${requestId}`)
  const waits = problem.tryAgainWaits ? waitClass(retryAfterSeconds ?? 0) : ''
  const actions = [
    { label: words.tryAgain, url: waits === undefined ? undefined : problem.tryAgainUrl, waits },
    ...named.map(({ name, url }) => ({ label: words.toProduct(name), url })),
  ]
  const body = messageCard({
    // The codes of errors that a buyer can do something about say nothing to them.
    kicker: status >= 500 ? words.status(status) : undefined,
    heading: title,
    content: html`<p class="lead" dir="auto">${message}</p>
!${notCharged ? html`<p class="assurance">${text.notCharged}</p>` : ''}
!${retryAfterSeconds === undefined ? '' : html`<p>${words.waitFor(waitingTime(retryAfterSeconds))}</p>`}
!${offer && offered(offer, query, locale)}
!${cart && html`!${orderSummary({ ...cart, locale })}!${cartForm({ ...cart, locale }, html`<button class="button" type="submit">${text.confirm.button}</button>`)}`}
!${similar.length > 0 ? similarList(similar, query, locale) : ''}
!${actionLinks(actions, { query })}
!${contact && html`<p class="help">${words.notWorking} <a href="${contact}">${words.writeToUs}</a></p>`}`,
    reference: { label: words.reference, value: requestId },
  })
  return layout(shop, { title, body, query })
}

function offered({ product, form }: NonNullable<NextSteps['offer']>, query: string, locale: string): string {
  const { name, token, images, amount, currency } = product
  const [image] = images ?? []
  return html`<section class="named" aria-label="${name}">
!${image && html`<img src="${image}" alt="" width="96" height="96">`}
<h2><a href="${pathTo(`/products/${token}`, query)}"><span dir="auto">${name}</span></a></h2>
<p class="price"><bdi>${formatMoney(amount, currency, locale)}</bdi></p>
!${form && buyForm(product, locale, form)}
</section>`
}

function similarList(products: readonly ShownProduct[], query: string, locale: string): string {
  const items = products.map(
    ({ token, name, amount, currency }) =>
      html`<li><a href="${pathTo(`/products/${token}`, query)}"><span dir="auto">${name}</span></a> <bdi>${formatMoney(amount, currency, locale)}</bdi></li>`,
  )
  return html`<section aria-labelledby="similar"><h2 id="similar">${text.problem.similar}</h2>
<ul>!${items}</ul></section>`
}
