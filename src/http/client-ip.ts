import { isIP } from 'node:net'
import { compile } from '@fastify/proxy-addr'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { commaList } from '../settings.ts'

/** A peer from these networks is a proxy of the merchant, and never a buyer on the internet. */
const isPrivate = compile(['loopback', 'linklocal', 'uniquelocal'])
/** `203.0.113.7:41234`, `[2001:db8::5]` and `[2001:db8::5]:443`, as some proxies write an entry. */
const WITH_PORT_OR_BRACKETS = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/

/**
 * Leaves only IP addresses in `X-Forwarded-For`, so that `request.ip` is one: otherwise each port would be another
 * client. If one entry is no IP address, the header counts as absent.
 *
 * The first time that an untrusted peer in a private network sends the header, the log says which setting is missing.
 */
export const clientIps = fp<{ trustsProxy: (ip: string) => boolean }>(async (app, { trustsProxy }) => {
  let isTold = false
  app.addHook('onRequest', (request, _reply, done) => {
    const header = request.raw.headers['x-forwarded-for']
    if (header !== undefined) read(request, String(header))
    done()
  })

  function read({ raw: { headers, socket }, log }: FastifyRequest, header: string): void {
    headers['x-forwarded-for'] = onlyAddresses(header)
    const peer = socket.remoteAddress
    if (isTold || peer === undefined || trustsProxy(peer) || !isPrivate(peer, 0)) return
    isTold = true
    log.warn(
      { event: 'config.trust-proxy.missing' },
      `TRUST_PROXY does not name the proxy that sends X-Forwarded-For, so all its visitors share one rate limit: set TRUST_PROXY=${peer.replace(/^::ffff:/, '')}`,
    )
  }
})

function onlyAddresses(header: string): string | undefined {
  const addresses = commaList(header).map((entry) => {
    const [, inBrackets, beforePort] = WITH_PORT_OR_BRACKETS.exec(entry) ?? []
    return inBrackets ?? beforePort ?? entry
  })
  return addresses.every((address) => isIP(address) !== 0) ? addresses.join(', ') : undefined
}
