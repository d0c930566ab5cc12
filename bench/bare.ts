import Fastify from 'fastify'
import { Agent } from 'undici'

// The least that a buy link can be: a Fastify route that posts a constant body with undici, and redirects.
const [port, upstream = ''] = process.argv.slice(2)
const dispatcher = new Agent({ connections: 128 })
const headers = { 'content-type': 'application/json', authorization: 'Basic YmVuY2g6YmVuY2g=' }
const body = JSON.stringify({
  line_items: [
    {
      price_data: { currency: 'usd', amount: 2500, product_data: { name: 'Black T-shirt, M' } },
      quantity: 1,
    },
  ],
  mode: 'payment',
  success_url: 'https://buy.shop.example/success',
  cancel_url: 'https://buy.shop.example/cancel',
})

const app = Fastify()
app.get('/buy/:sku', async (_request, reply) => {
  const response = await dispatcher.request({
    origin: upstream,
    path: '/api/v2/checkout-sessions',
    method: 'POST',
    headers,
    body,
  })
  const { checkout_session_url } = (await response.body.json()) as { checkout_session_url: string }
  return reply.redirect(checkout_session_url, 302)
})
/** A redirect that asks nobody, to compare a warm click with. */
app.get('/redirect', async (_request, reply) => reply.redirect('https://checkout.example/s/', 302))
await app.listen({ port: Number(port), host: '127.0.0.1' })
