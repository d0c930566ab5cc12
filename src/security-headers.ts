import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'

export interface SecurityHeadersOptions {
  /** Buyers reach us over https: browsers may then be told never to come over http again. */
  https: boolean
  /** Forms may lead to plain http: only where Dots itself is on this machine. */
  allowHttpCheckout: boolean
}

/**
 * Headers of every answer. The default is the careful one, kept by no cache and listed by no search engine; the few
 * routes that want to be found say so themselves.
 */
export const securityHeaders = fp<SecurityHeadersOptions>(
  async (app, { https, allowHttpCheckout }) => {
    await app.register(helmet, {
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          styleSrc: ["'self'"],
          // The merchant's logo and product pictures stand on the merchant's own hosts.
          imgSrc: ["'self'", 'data:', 'https:', ...(allowHttpCheckout ? ['http:'] : [])],
          baseUri: ["'none'"],
          frameAncestors: ["'none'"],
          // Chromium checks the redirect that answers a form, too, and ours leads to the hosted checkout.
          formAction: ["'self'", 'https:', ...(allowHttpCheckout ? ['http:'] : [])],
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
  },
  { name: 'security-headers' },
)
