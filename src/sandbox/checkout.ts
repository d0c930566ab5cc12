import { checkoutPage, notFoundPage, PAGE_HEADERS, STYLESHEET, STYLESHEET_PATH } from './hosted-page.ts'
import type { Payment, SandboxSession } from './sessions.ts'

/** A visit to the hosted page. */
export interface Visit {
  method: string
  path: string
  form: URLSearchParams
}

/** What the hosted page needs of the sandbox. */
export interface Till {
  find: (sessionId: string) => SandboxSession | undefined
  pay: (sessionId: string, payment: Payment) => Promise<void>
}

export interface PageAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

const ROUTE = /^\/checkout\/([^/]+)(?:\/(pay|cancel))?$/

/** Answers for the hosted page: shows a session, pays it, or sends the buyer back. */
export async function answerCheckout(visit: Visit, till: Till): Promise<PageAnswer> {
  const reading = visit.method === 'GET' || visit.method === 'HEAD'
  if (visit.path === STYLESHEET_PATH && reading)
    return { status: 200, headers: { 'content-type': 'text/css; charset=utf-8' }, body: STYLESHEET }
  const [, id = '', action] = ROUTE.exec(visit.path) ?? []
  const session = till.find(id)
  if (!session) return page(404, notFoundPage())
  if (action === undefined) return reading ? page(200, checkoutPage(session)) : notAllowed('GET, HEAD')
  if (visit.method !== 'POST') return notAllowed('POST')
  // Somebody else was quicker, or the page lay open for too long: show what the session has become.
  if (session.status !== 'open') return page(409, checkoutPage(session))
  return action === 'pay' ? await pay(visit.form, session, till) : cancel(session)
}

async function pay(form: URLSearchParams, session: SandboxSession, till: Till): Promise<PageAnswer> {
  const email = form.get('email')?.trim() ?? ''
  if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email))
    return page(400, checkoutPage(session, 'Please check the email address.'))
  await till.pay(session.id, { email })
  return form.get('after') === 'close' ? page(200, checkoutPage(session)) : seeOther(session.success_url)
}

function cancel(session: SandboxSession): PageAnswer {
  return session.cancel_url === null ? page(404, notFoundPage()) : seeOther(session.cancel_url)
}

function page(status: number, body: string): PageAnswer {
  return { status, headers: { ...PAGE_HEADERS }, body }
}

function notAllowed(allow: string): PageAnswer {
  return { status: 405, headers: { allow, 'content-type': 'text/plain' }, body: 'Method not allowed\n' }
}

function seeOther(url: string): PageAnswer {
  return { status: 303, headers: { ...PAGE_HEADERS, location: new URL(url).href }, body: '' }
}
