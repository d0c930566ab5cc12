import fp from 'fastify-plugin'

interface SecurityHeadersOptions {
  /** Buyers use https: HSTS then makes browsers never use http again. */
  https: boolean
  /** Forms may lead to plain http: only where Dots itself is on this machine. */
  allowHttpCheckout: boolean
}

/**
 * Headers of every response, the security headers that OWASP recommends (cheatsheetseries.owasp.org, "HTTP Headers"). By
 * default no cache stores it and no search engine lists it; the few public pages change that themselves.
 */
export const securityHeaders = fp<SecurityHeadersOptions>(async (app, { https, allowHttpCheckout }) => {
  const http = allowHttpCheckout ? ' http:' : ''
  const policy = [
    "default-src 'none'",
    "style-src 'self'",
    // The merchant's logo and product pictures are on hosts of the merchant's choice.
    `img-src 'self' data: https:${http}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
    // Chromium applies this to the redirect that answers a form as well, and ours leads to the hosted checkout.
    `form-action 'self' https:${http}`,
  ]
  /** One object for all responses. */
  const headers = {
    'content-security-policy': policy.join(';'),
    'cross-origin-opener-policy': 'same-origin-allow-popups',
    'cross-origin-resource-policy': 'same-origin',
    'origin-agent-cluster': '?1',
    'referrer-policy': 'no-referrer',
    ...(https && { 'strict-transport-security': 'max-age=31536000' }),
    'x-content-type-options': 'nosniff',
    'x-dns-prefetch-control': 'off',
    'x-download-options': 'noopen',
    'x-frame-options': 'DENY',
    'x-permitted-cross-domain-policies': 'none',
    'x-xss-protection': '0',
    'cache-control': 'no-store',
    'x-robots-tag': 'noindex',
  }
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers)
    done()
  })
})
