import { type Server, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** What Node's parser refuses with anything but 400. */
const STATUSES: Record<string, number> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }
/** Nothing of ours is kept or listed, not even this. */
const HEADERS = [
  'cache-control: no-store',
  'referrer-policy: no-referrer',
  'x-robots-tag: noindex',
  'x-content-type-options: nosniff',
  'content-length: 0',
  'connection: close',
]

/**
 * Answers what is no request of HTTP, and ends the connection. The log has the parser's code at the most: the error
 * itself carries all that was sent, and an email may stand in that.
 */
export function answerMalformed(
  this: FastifyInstance,
  error: Error & { code?: string },
  socket: Socket,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const status = STATUSES[error.code ?? ''] ?? 400
  this.log.debug({ code: error.code, status }, 'not a request')
  if (socket.writable) {
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${HEADERS.join('\r\n')}\r\n\r\n`)
  }
  socket.destroy()
}

/**
 * A request that expects what we do not know is served like any other: RFC 9110 (10.1.1) leaves that to the server, and
 * Node's own 417 would come without our headers.
 */
export function ignoreExpectations(server: Server): void {
  server.on('checkExpectation', (request, response) => void server.emit('request', request, response))
}
