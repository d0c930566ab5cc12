import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'

interface SecurityHeadersOptions {
  /** Buyers use https: HSTS then makes browsers never use http again. */
  https: boolean
  /** Forms may lead to plain http: only where Dots itself is on this machine. */
  allowHttpCheckout: boolean
}

/**
 * Headers of every response. By default no cache stores it and no search engine lists it; the few public pages change
 * that themselves.
 */
export const securityHeaders = fp<SecurityHeadersOptions>(async (app, { https, allowHttpCheckout }) => {
  const http = allowHttpCheckout ? ['http:'] : []
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        // The merchant's logo and product pictures are on hosts of the merchant's choice.
        imgSrc: ["'self'", 'data:', 'https:', ...http],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        // Chromium applies this to the redirect that answers a form as well, and ours leads to the hosted checkout.
        formAction: ["'self'", 'https:', ...http],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: https ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    crossOriginResourcePolicy: { policy: 'same-origin' },
    crossOriginOpenerPolicy: { policy: 'same-origin-allow-popups' },
    xFrameOptions: { action: 'deny' },
  })
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store').header('x-robots-tag', 'noindex')
  })
})
