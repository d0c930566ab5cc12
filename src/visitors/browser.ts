import { createHash, randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** The name under which the store knows this browser; undefined for one that we have not met. */
    knownBrowser(request: FastifyRequest): string | undefined
    /** The same, and a browser that we have not met gets its name now. */
    nameBrowser(request: FastifyRequest, reply: FastifyReply): string
  }
}

/** As long as the longest session: after that there is nothing to come back to. */
const COOKIE_SECONDS = 10_800
/** 128 random bits, base64url. */
const COOKIE_BYTES = 16
const COOKIE_VALUE = /^[A-Za-z0-9_-]{22}$/

/**
 * The one cookie of the shop: a random name for the browser, so that a second click finds the checkout of the first. It
 * says nothing by itself, and the store keeps only its hash. A cookie that we did not make is no cookie.
 */
export const browserCookie = fp<{ https: boolean }>(
  async (app, { https }) => {
    // The prefix makes browsers keep it to this host and to https (RFC 6265bis, 4.1.3.2).
    const name = https ? '__Host-buyer' : 'buyer'
    await app.register(cookie)

    app.decorate('knownBrowser', (request: FastifyRequest) => {
      const value = valueIn(request)
      return value === undefined ? undefined : nameOf(value)
    })
    app.decorate('nameBrowser', (request: FastifyRequest, reply: FastifyReply) => {
      const value = valueIn(request) ?? randomBytes(COOKIE_BYTES).toString('base64url')
      // Set anew each time, so that it lives as long as the session that this click leads to.
      reply.setCookie(name, value, {
        path: '/',
        httpOnly: true,
        secure: https,
        sameSite: 'lax',
        maxAge: COOKIE_SECONDS,
      })
      return nameOf(value)
    })

    function valueIn(request: FastifyRequest): string | undefined {
      const value = request.cookies[name]
      return value !== undefined && COOKIE_VALUE.test(value) ? value : undefined
    }
  },
  { name: 'browser-cookie' },
)

function nameOf(value: string): string {
  return createHash('sha256').update(value).digest('base64url')
}
