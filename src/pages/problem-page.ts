import { html } from 'ghtml'
import { layout } from './layout.ts'
import { mailtoUrl } from './link.ts'
import { actionLinks, messageCard } from './message-card.ts'
import type { Shop } from './shop.ts'
import { waitingTime } from './waiting-time.ts'

export interface Problem {
  title: string
  message: string
  /** HTTP status of the answer. */
  status: number
  /** The request's id, as it stands on its log line. */
  reference: string
  tryAgainUrl?: string
  /** Only where it is certain: the page then says so. */
  notCharged?: boolean
  retryAfterSeconds?: number
}

/** The page for everything that went wrong. It never reloads by itself: each try could open a checkout. */
export function problemPage(shop: Shop, problem: Problem): string {
  const { title, message, status, reference, tryAgainUrl, notCharged, retryAfterSeconds } = problem
  const contact = mailtoUrl(shop.supportEmail, `Reference ${reference}`)
  const body = messageCard({
    kicker: `Error ${status}`,
    heading: title,
    content: html`<p class="lead">${message}</p>
!${notCharged === true ? '<p class="assurance">You have not been charged.</p>' : ''}
!${retryAfterSeconds === undefined ? '' : html`<p>Please wait ${waitingTime(retryAfterSeconds)} before you try again.</p>`}
!${actionLinks(shop, [
      { label: 'Try again', url: tryAgainUrl, primary: true },
      { label: 'Go to the shop', url: '/' },
    ])}
!${contact === undefined ? '' : html`<p class="help">Still not working? <a href="${contact}">Write to us</a> and give the reference number.</p>`}`,
    reference,
  })
  return layout(shop, { title, body })
}
