import { connect } from 'node:net'
import type { Service } from '../service.ts'

interface RawAnswer {
  /** All that came back, as Latin-1: no byte is lost. */
  text: string
  /** Of the first answer; 0 where there was none. */
  status: number
  /** Milliseconds until the server closed the connection, or until the timeout. */
  afterMs: number
  closed: boolean
}

/** Sends bytes as they are on a connection of its own, and reads until it is closed or the timeout is over. */
export function sendBytes(
  shop: Pick<Service, 'url'>,
  bytes: string | Buffer,
  { timeoutMs = 5_000, half = false }: { timeoutMs?: number; half?: boolean } = {},
): Promise<RawAnswer> {
  const { promise, resolve } = Promise.withResolvers<RawAnswer>()
  const start = performance.now()
  const chunks: Buffer[] = []
  const { hostname, port } = new URL(shop.url)
  const socket = connect(Number(port), hostname === '[::1]' ? '::1' : '127.0.0.1')
  const end = (closed: boolean) => {
    clearTimeout(timer)
    socket.destroy()
    const text = Buffer.concat(chunks).toString('latin1')
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
    resolve({ text, status, afterMs: performance.now() - start, closed })
  }
  const timer = setTimeout(() => end(false), timeoutMs)
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
  socket.on('error', () => {})
  socket.on('close', () => end(true))
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  if (half) socket.end()
  return promise
}
