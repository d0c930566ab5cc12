import { createServer } from 'node:http'

// Dots' stand-in, and Stripe's for the comparison: answers each create call with a new session after DELAY_MS.
const delayMs = Number(process.argv[3] ?? 0)
let sessions = 0

createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    const answer = () => {
      const text = request.method === 'POST' ? session(request.url ?? '') : '{"has_more":false,"data":[]}'
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      })
      response.end(text)
    }
    if (delayMs === 0) answer()
    else setTimeout(answer, delayMs)
  })
}).listen(Number(process.argv[2]), '127.0.0.1')

function session(path: string): string {
  sessions += 1
  const id = `5e551000-0000-4000-8000-${String(sessions).padStart(12, '0')}`
  const url = `https://checkout.example/s/${id}`
  if (path.startsWith('/v1/')) return JSON.stringify({ id, object: 'checkout.session', status: 'open', url })
  const now = new Date().toISOString()
  return JSON.stringify({
    id,
    status: 'open',
    payment_intent_id: `1e7e0000-0000-4000-8000-${String(sessions).padStart(12, '0')}`,
    success_url: 'https://buy.shop.example/success',
    cancel_url: 'https://buy.shop.example/cancel',
    checkout_session_url: url,
    client_reference_id: null,
    expiry: new Date(Date.now() + 10_799_000).toISOString(),
    metadata: {},
    line_items: [{ quantity: 1, price_id: id }],
    created: now,
    updated: now,
    customer_id: null,
    customer_email: null,
    amount_total: 2500,
  })
}
