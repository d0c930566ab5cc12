import { html } from 'ghtml'
import type { Shop } from '../config.ts'
import { actionLinks, layout, mailtoUrl, messageCard } from './layout.ts'
import { text, waitingTime } from './text.ts'

interface Problem {
  title: string
  message: string
  /** HTTP status of the answer. */
  status: number
  /** Also on the log line of the request. */
  requestId: string
  tryAgainUrl?: string
  /** Shows that nothing was charged; only where that is certain. */
  notCharged?: boolean
  retryAfterSeconds?: number
  /** The products that the page leads to. */
  products?: readonly { name: string; path: string }[]
}

/** The error page. It never refreshes: each try could open a checkout. */
export function problemPage(shop: Shop, problem: Problem): string {
  const {
    title,
    message,
    status,
    requestId,
    tryAgainUrl,
    notCharged,
    retryAfterSeconds,
    products = [],
  } = problem
  const words = text.problem
  const contact = shop.supportEmail && mailtoUrl(shop.supportEmail, `${words.reference} ${requestId}`)
  const actions = [
    { label: words.tryAgain, url: tryAgainUrl },
    ...products.map(({ name, path }) => ({ label: words.toProduct(name), url: path })),
  ]
  const body = messageCard({
    kicker: words.status(status),
    heading: title,
    content: html`<p class="lead">${message}</p>
!${notCharged ? html`<p class="assurance">${text.notCharged}</p>` : ''}
!${retryAfterSeconds === undefined ? '' : html`<p>${words.waitFor(waitingTime(retryAfterSeconds))}</p>`}
!${actionLinks(actions)}
!${contact && html`<p class="help">${words.notWorking} <a href="${contact}">${words.writeToUs}</a></p>`}`,
    reference: { label: words.reference, value: requestId },
  })
  return layout(shop, { title, body })
}
