import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'

/**
 * A flood from one machine, as a process of its own: `node flood-client.ts URL SECONDS`. A trusted proxy would name one
 * IP address for half of it, and a new one for each request of the other half; beside it come header bombs and senders
 * that never finish. Prints one line a second, the responses by status, as JSON.
 */
const [, , url = '', seconds = '10'] = process.argv
const endAt = performance.now() + Number(seconds) * 1000
/** Bounded on purpose: a flood must not exhaust the machine that tries it. */
const CONNECTIONS = 64
const SLOW_SENDERS = 50
const BOMB_EVERY_MS = 20
const ONE_ADDRESS = '203.0.113.66'
const PATHS = [
  '/buy/tee',
  '/buy/nope',
  '/',
  '/products/tee',
  '/nothing/here',
  '/success?checkout=x',
  '/qr/tee.svg',
  '/.env',
]

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
const target = new URL(url)
let counts: Record<string, number> = {}
let sent = 0

function count(what: string): void {
  counts[what] = (counts[what] ?? 0) + 1
}

function isOver(): boolean {
  return performance.now() > endAt
}

function ask(path: string, from: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  request(target.origin + path, { agent, headers: { 'x-forwarded-for': from } }, (answer) => {
    count(String(answer.statusCode))
    answer.resume()
    answer.once('close', resolve)
  })
    .once('error', () => {
      count('broken')
      resolve()
    })
    .end()
  return promise
}

/** Sends one request after the other. */
async function stream(index: number): Promise<void> {
  while (!isOver()) {
    sent++
    const own = `198.${18 + (sent % 2)}.${(sent >> 8) & 255}.${sent & 255}`
    await ask(PATHS[sent % PATHS.length] ?? '/', index % 2 === 0 ? ONE_ADDRESS : own)
  }
}

/** A connection of its own, whose response is counted under this name. */
function open(what: string): Socket {
  const socket = connect(Number(target.port), target.hostname)
  socket.on('error', () => {})
  socket.once('data', (chunk: Buffer) => {
    count(`${what} ${/ (\d{3}) /.exec(chunk.toString('latin1'))?.[1]}`)
    socket.destroy()
  })
  return socket
}

function bomb(): void {
  const socket = open('bomb')
  socket.write(`GET / HTTP/1.1\r\nhost: x\r\ncookie: ${'a'.repeat(64 * 1024)}`)
}

function sendSlowly(): void {
  if (isOver()) return
  const socket = open('slow sender')
  socket.write('GET /buy/tee HTTP/1.1\r\nhost: x\r\n')
  const drip = setInterval(() => socket.write('x-slow: 1\r\n'), 1_000)
  socket.once('close', () => {
    clearInterval(drip)
    sendSlowly()
  })
  setTimeout(() => socket.destroy(), Math.max(0, endAt - performance.now()))
}

const bombs = setInterval(bomb, BOMB_EVERY_MS)
const lines = setInterval(() => {
  console.log(JSON.stringify(counts))
  counts = {}
}, 1_000)
for (let n = 0; n < SLOW_SENDERS; n++) sendSlowly()
await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => stream(index)))
clearInterval(bombs)
clearInterval(lines)
agent.destroy()
