import { hash, randomFillSync } from 'node:crypto'
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
/** Before them, 12 hexadecimal digits of milliseconds: when the cookie was made. Those of earlier versions have none. */
const TIME = /^[0-9a-f]{12}(?=.{22}$)/

/** Random bytes for this many cookies are made at once: each call of the generator costs more than the bytes. */
const POOLED_COOKIES = 256

function cookieValues(): () => string {
  const pool = Buffer.alloc(POOLED_COOKIES * COOKIE_BYTES)
  let used = pool.length
  return () => {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    used += COOKIE_BYTES
    const time = Date.now().toString(16).padStart(12, '0')
    return time + pool.toString('base64url', used - COOKIE_BYTES, used)
  }
}

/**
 * The service's only cookie: a random value, so that a second click finds the checkout of the first. It says nothing by
 * itself, and the store has only its hash, the browser id. A value that we cannot have made counts as no cookie.
 */
export const browserIds = fp<{ https: boolean }>(async (app, { https }) => {
  // With this prefix browsers keep the cookie to this host and to https (RFC 6265bis, 4.1.3.2).
  const name = https ? '__Host-buyer' : 'buyer'
  const pattern = new RegExp(`(?:^|;)\\s*${name}=((?:[0-9a-f]{12})?[A-Za-z0-9_-]{22})\\s*(?:;|$)`)
  const attributes = `Max-Age=${COOKIE_SECONDS}; Path=/; HttpOnly;${https ? ' Secure;' : ''} SameSite=Lax`
  const cookieOf = ({ headers }: FastifyRequest) =>
    headers.cookie === undefined ? undefined : pattern.exec(headers.cookie)?.[1]
  const newValue = cookieValues()
  // With the time first, so that the rows of new browsers lie beside each other.
  const idOf = (value: string) => (TIME.exec(value)?.[0] ?? '') + hash('sha256', value, 'base64url')

  app.decorateRequest('browserId', undefined)
  app.addHook('onRequest', (request, _reply, done) => {
    const value = cookieOf(request)
    if (value !== undefined) request.browserId = idOf(value)
    done()
  })
  app.decorateReply('ensureBrowserId', function (this: FastifyReply) {
    const { request } = this
    // A second call for the same request gives the same id.
    if (request.browserId !== undefined && this.hasHeader('set-cookie')) return request.browserId
    const value = cookieOf(request) ?? newValue()
    request.browserId ??= idOf(value)
    this.header('set-cookie', `${name}=${value}; ${attributes}`)
    return request.browserId
  })
})
