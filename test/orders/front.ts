import { createServer, request } from 'node:http'
import { listen } from './receiver.ts'

export interface FrontAnswer {
  status: number
  /** An object is sent as JSON, a text as HTML. */
  body: object | string
}

/**
 * Stands between a service and its sandbox. `rule` gives the answer for a call, by its path after `/v2/checkout-sessions`,
 * or undefined where the sandbox answers. It is closed when the test is over.
 */
export async function startFront() {
  const front = {
    url: '',
    /** The sandbox's URL. */
    target: '',
    rule: (_path: string, _method: string): FrontAnswer | undefined => undefined,
  }
  const server = createServer((incoming, outgoing) => {
    const { url = '', method = 'GET', headers } = incoming
    const answer = front.rule(url.replace('/api/v2/checkout-sessions', ''), method)
    if (answer === undefined) {
      const { origin } = new URL(front.target)
      const forward = request(origin + url, { method, headers }, (response) => {
        outgoing.writeHead(response.statusCode ?? 500, response.headers)
        response.pipe(outgoing)
      })
      incoming.pipe(forward)
      return
    }
    const isText = typeof answer.body === 'string'
    outgoing.writeHead(answer.status, { 'content-type': isText ? 'text/html' : 'application/json' })
    outgoing.end(isText ? answer.body : JSON.stringify(answer.body))
  })
  front.url = `${await listen(server)}/api`
  return front
}
