import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { type DotsClient, type DotsClientOptions, dotsClient } from '../../src/dots/client.ts'
import type { CreateSession } from '../../src/dots/messages.ts'
import { type AppError, isDotsError } from '../../src/errors.ts'

export const CREDENTIALS = { clientId: 'client', apiKey: 'key' }

export const CREATE: CreateSession = {
  line_items: [
    {
      price_data: {
        currency: 'usd',
        amount: 2500,
        product_data: { name: 'Füße', description: 'Warm.', images: ['https://shop.example/1.jpg'] },
      },
      quantity: 2,
    },
  ],
  mode: 'payment',
  success_url: 'https://shop.example/success?checkout=1',
  cancel_url: 'https://shop.example/cancel?checkout=1',
  expires_in: 10_799,
  metadata: { checkout_id: '1' },
}

/** The smallest response that is enough to redirect a buyer. */
export const GOOD = { checkout_session_url: 'https://pay.example/c/1' }

/** A client that is closed when the test is over, and does not log. */
export function clientOf(apiUrl: string, options: Partial<DotsClientOptions> = {}): DotsClient {
  const client = dotsClient({
    ...CREDENTIALS,
    apiUrl,
    maxInFlight: 8,
    log: pino({ level: 'silent' }),
    random: () => 0,
    checkoutHosts: [],
    allowHttpCheckout: true,
    ...options,
  })
  onTestFinished(() =>
    client.close().catch(() => {
      // The test has closed it already.
    }),
  )
  return client
}

/** A logger, and what it has logged. */
export function recordedLog() {
  const lines: Record<string, unknown>[] = []
  return {
    log: pino({ level: 'debug', base: null }, { write: (line) => void lines.push(JSON.parse(line)) }),
    lines,
  }
}

/** Listens on loopback until the test is over, then closes all connections. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A web server in the place of Dots; returns the base of its API. */
export async function web(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createHttpServer(listener))}/api`
}

/** A TCP server that calls `onData` for each connection once the request's first bytes are there. */
export async function raw(onData: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => void socket.once('data', () => onData(socket)))
  return `http://127.0.0.1:${await listen(server)}/api`
}

/** The AppError that a call must end with. */
export async function failureOf(call: Promise<unknown>): Promise<AppError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (isDotsError(error)) return error
  throw new Error('the call did not fail with an AppError of Dots', { cause: error })
}
