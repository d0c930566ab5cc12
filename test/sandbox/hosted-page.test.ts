import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { create, lineItem, start } from './dots-caller.ts'

let sandbox: Sandbox
let id: string
let page: string
beforeEach(async () => {
  sandbox = await start()
  const changes = { line_items: [lineItem({}, { name: '<b>Tea & "cup"</b>' }), lineItem({ amount: 99 })] }
  id = await create(sandbox, changes)
  page = sandbox.sessions.get(id)?.checkout_session_url ?? ''
})
afterEach(() => sandbox.close())

function submit(action: string, form: Record<string, string> = {}) {
  return fetch(`${page}/${action}`, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
}

test('the page says what is bought, for how much, and that it is a sandbox', async () => {
  const response = await fetch(page)
  const text = await response.text()
  expect(response.status).toBe(200)
  expect(text).toContain('No real money moves here')
  expect(text).toContain('&#60;b&#62;Tea &#38; &#34;cup&#34;&#60;/b&#62;')
  expect(text).not.toContain('<b>')
  for (const part of [
    'Heavy cotton.',
    '$25.00',
    '$0.99',
    '$51.98',
    'value="buyer@example.com"',
    '<label for="email">',
  ])
    expect(text).toContain(part)
  expect(text).not.toMatch(/<script|style=/)
})

test('the policy forbids scripts, and lets a form lead back to the shop', async () => {
  const response = await fetch(page)
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("form-action 'self' http: https:")
  expect((await fetch(page, { method: 'HEAD' })).headers.get('content-security-policy')).toBe(policy)
  const style = await fetch(new URL('/checkout.css', page))
  expect(style.headers.get('content-type')).toContain('text/css')
})

test('Pay completes the session and leads to the success URL', async () => {
  const response = await submit('pay', { email: 'payer@example.com', after: 'return' })
  expect(response.status).toBe(303)
  expect(response.headers.get('location')).toBe('http://shop.example/success?checkout=1')
  expect(sandbox.sessions.get(id)).toMatchObject({ status: 'complete', customer_email: 'payer@example.com' })
})

test('Pay without an email keeps the one that the shop gave', async () => {
  await submit('pay', { email: '' })
  expect(sandbox.sessions.get(id)?.customer_email).toBe('buyer@example.com')
})

test('an invalid email is reported, and nothing is paid', async () => {
  const response = await submit('pay', { email: 'nobody' })
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('role="alert"')
  expect(sandbox.sessions.get(id)?.status).toBe('open')
})

test('Pay and close the tab completes the session and leads nowhere', async () => {
  const response = await submit('pay', { after: 'close' })
  expect(response.status).toBe(200)
  expect(await response.text()).toContain('You may close this page')
  expect(sandbox.sessions.get(id)?.status).toBe('complete')
})

test('Cancel leads to the cancel URL, and the session stays open', async () => {
  const response = await submit('cancel')
  expect(response.status).toBe(303)
  expect(response.headers.get('location')).toBe('http://shop.example/cancel?checkout=1')
  expect(sandbox.sessions.get(id)?.status).toBe('open')
})

test('without a cancel URL there is no Cancel button', async () => {
  const other = await create(sandbox, { cancel_url: undefined })
  const url = sandbox.sessions.get(other)?.checkout_session_url ?? ''
  expect(await (await fetch(url)).text()).not.toContain('Cancel')
  expect((await fetch(`${url}/cancel`, { method: 'POST' })).status).toBe(404)
})

test('a paid session shows that it is paid, and cannot be paid twice', async () => {
  await submit('pay')
  expect(await (await fetch(page)).text()).toContain('<h1>Paid</h1>')
  expect((await submit('pay')).status).toBe(409)
})

test('an expired session shows that it is expired, and cannot be paid', async () => {
  sandbox.expire(id)
  expect(await (await fetch(page)).text()).toContain('<h1>Expired</h1>')
  expect((await submit('pay')).status).toBe(409)
  expect(sandbox.sessions.get(id)?.status).toBe('expired')
})

test('a GET of the Pay URL pays nothing, and other URLs are not found', async () => {
  const refused = await fetch(`${page}/pay`)
  expect(refused.status).toBe(405)
  expect(refused.headers.get('allow')).toBe('POST')
  const deleted = await fetch(page, { method: 'DELETE' })
  expect(deleted.status).toBe(405)
  expect(deleted.headers.get('allow')).toBe('GET, HEAD')
  expect((await fetch(`${page}x`)).status).toBe(404)
  expect((await fetch(new URL('/', page))).status).toBe(404)
  expect(sandbox.sessions.get(id)?.status).toBe('open')
})
