import { createHash, randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyRequest {
    /** The store's id of this browser; undefined where the request has no cookie of ours. */
    browserId: string | undefined
  }
  interface FastifyReply {
    /** The store's id of this browser, which gets the cookie for another three hours. */
    ensureBrowserId(): string
  }
}

/** As long as a checkout session can last: after that there is no session to come back to. */
const COOKIE_SECONDS = 10_800
/** 128 random bits, base64url. */
const COOKIE_BYTES = 16
const COOKIE_VALUE = /^[A-Za-z0-9_-]{22}$/

/**
 * The service's only cookie: a random value, so that a second click finds the checkout of the first. It says nothing by
 * itself, and the store has only its hash, the browser id. A value that we cannot have made counts as no cookie.
 */
export const browserIds = fp<{ https: boolean }>(async (app, { https }) => {
  // With this prefix browsers keep the cookie to this host and to https (RFC 6265bis, 4.1.3.2).
  const name = https ? '__Host-buyer' : 'buyer'
  const cookieOf = ({ cookies }: FastifyRequest) => COOKIE_VALUE.exec(cookies[name] ?? '')?.[0]
  const hash = (value: string) => createHash('sha256').update(value).digest('base64url')

  await app.register(cookie)
  app.decorateRequest('browserId', undefined)
  app.addHook('onRequest', async (request) => {
    const value = cookieOf(request)
    if (value !== undefined) request.browserId = hash(value)
  })
  app.decorateReply('ensureBrowserId', function (this: FastifyReply) {
    const { request } = this
    const value = cookieOf(request) ?? randomBytes(COOKIE_BYTES).toString('base64url')
    // A second call for the same request gives the same id.
    request.cookies[name] = value
    request.browserId ??= hash(value)
    this.setCookie(name, value, {
      path: '/',
      httpOnly: true,
      secure: https,
      sameSite: 'lax',
      maxAge: COOKIE_SECONDS,
    })
    return request.browserId
  })
})
