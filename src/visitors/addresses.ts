import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'

/** Where a request goes whose address cannot be read: past every hook and limit to one clean refusal. */
export const UNREADABLE = '/unreadable-address'
/** UCP's permalinks ask for 2,048 octets at the least; four times that is beyond every link that a mail tool makes. */
const LONGEST_ADDRESS = 8_192

/** What a client that takes us for a proxy puts before the path (RFC 9112, 3.2.2). */
const ABSOLUTE = /^https?:\/\/[^/?#]*/i

/**
 * The router answers a broken percent-encoding by itself, outside of limits, headers and log. Such an address is
 * therefore led to a route of its own. Of an absolute address the path is kept alone: the host in it is anybody's word,
 * and must not come back in a link on a page.
 */
export function readableAddress(request: Pick<IncomingMessage, 'url'>): string {
  const url = originForm(request.url ?? '/')
  try {
    decodeURIComponent(url.split('?', 1)[0] ?? '')
    return url
  } catch {
    return UNREADABLE
  }
}

function originForm(url: string): string {
  const path = url.replace(ABSOLUTE, '')
  // The router refuses by itself what does not begin with a slash, such as `GET *?a=1`.
  return path.startsWith('/') ? path : `/${path}`
}

/** Refuses addresses that are too long or cannot be read, as pages like any other. */
export const addressCheck = fp(
  async (app) => {
    app.addHook('onRequest', async (request) => {
      if (request.url.length > LONGEST_ADDRESS) throw new AppError('url-too-long')
    })
    app.all(UNREADABLE, async () => {
      throw new AppError('malformed-url')
    })
  },
  { name: 'address-check' },
)
