import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'

/** Base64 keys that only tests know. */
export const FULFILLMENT_SECRET = `whsec_${Buffer.from('what the receiver shares').toString('base64')}`
export const WEBHOOK_SECRET = `whsec_${Buffer.from('what the sandbox signs with').toString('base64')}`

export interface Received {
  id: string
  headers: IncomingHttpHeaders
  text: string
  body: Record<string, unknown>
  /** Whether the library of the standard accepts the signature. */
  verified: boolean
}

export interface Receiver {
  url: string
  /** The settings that lead a service here. */
  env: Record<string, string>
  received: Received[]
  ids(): string[]
  distinctIds(): number
  /** Called for each message before its answer. `silence`: no answer at all. */
  answer: (message: Received) => number | 'silence' | { status: number; headers: Record<string, string> }
}

/** A merchant's own system that receives announcements. It is closed when the test is over. */
export async function startReceiver(path = '/orders'): Promise<Receiver> {
  const webhook = new Webhook(FULFILLMENT_SECRET)
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const message: Received = {
      id: String(request.headers['webhook-id']),
      headers: request.headers,
      text,
      body: JSON.parse(text),
      verified: verifies(webhook, text, request.headers),
    }
    receiver.received.push(message)
    const answer = receiver.answer(message)
    if (answer === 'silence') return
    const { status, headers } = typeof answer === 'number' ? { status: answer, headers: {} } : answer
    response.writeHead(status, headers).end()
  })
  const url = `${await listen(server)}${path}`
  const receiver: Receiver = {
    url,
    env: { FULFILLMENT_URL: url, FULFILLMENT_SECRET },
    received: [],
    ids: () => receiver.received.map(({ id }) => id),
    distinctIds: () => new Set(receiver.ids()).size,
    answer: () => 204,
  }
  return receiver
}

/** Opens a server on a free port, and closes it when the test is over. Its URL has no slash at the end. */
export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return `http://127.0.0.1:${address.port}`
}

function verifies(webhook: Webhook, text: string, headers: IncomingHttpHeaders): boolean {
  const texts = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  try {
    webhook.verify(text, texts)
    return true
  } catch {
    return false
  }
}
