import express from 'express'
import { Stripe } from 'stripe'

// What a merchant writes in twenty lines: Express and a payment SDK, without a store, limits or a log.
const [port, upstream = ''] = process.argv.slice(2)
const { hostname, port: stripePort } = new URL(upstream)
const stripe = new Stripe('sk_test_bench', {
  host: hostname,
  port: Number(stripePort),
  protocol: 'http',
  telemetry: false,
})

const app = express()
app.get('/buy/:sku', async (_request, response) => {
  const session = await stripe.checkout.sessions.create({
    mode: 'payment',
    line_items: [
      {
        price_data: { currency: 'usd', unit_amount: 2500, product_data: { name: 'Black T-shirt, M' } },
        quantity: 1,
      },
    ],
    success_url: 'https://buy.shop.example/success',
    cancel_url: 'https://buy.shop.example/cancel',
  })
  response.redirect(302, session.url ?? '/')
})
app.listen(Number(port), '127.0.0.1')
