import { createServer as createTlsServer } from 'node:https'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { selfSigned } from './self-signed.ts'
import { CREATE, clientOf, failureOf, GOOD, listen, raw, web } from './servers.ts'

// Long enough that a slow machine does not fail a good call, short enough for a suite.
const FIRST_BYTE_MS = 250
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** A port that nobody listens on. */
async function shutPort(): Promise<number> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<number>()
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0))
  })
  return promise
}

describe('nothing was sent, so no session exists:', () => {
  test.each(['127.0.0.1', 'localhost'])('connection refused at %s', async (host) => {
    const client = clientOf(`http://${host}:${await shutPort()}/api`)
    const error = await failureOf(client.createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-unreachable' })
    expect(error).toMatchObject({
      sessionMayExist: false,
      retryAfterSeconds: 5,
      details: { fault: 'ECONNREFUSED' },
      logLevel: 'warn',
    })
  })

  test('name not found', async () => {
    const error = await failureOf(clientOf('https://nonexistent.invalid/api').createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-unreachable' })
    expect(error.sessionMayExist).toBe(false)
  })

  test('a peer that takes the connection and never shakes hands', async () => {
    const port = await listen(createServer())
    const start = performance.now()
    const client = clientOf(`https://127.0.0.1:${port}/api`, { connectMs: 200 })
    const error = await failureOf(client.createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-unreachable' })
    expect(error).toMatchObject({ sessionMayExist: false, details: { fault: 'UND_ERR_CONNECT_TIMEOUT' } })
    expect(performance.now() - start).toBeLessThan(3_000)
  })

  test('a certificate that nobody has vouched for', async () => {
    let requests = 0
    const server = createTlsServer(selfSigned(), (_request, response) => {
      requests++
      response.end(JSON.stringify(GOOD))
    })
    server.on('tlsClientError', () => {})
    const error = await failureOf(
      clientOf(`https://localhost:${await listen(server)}/api`).createCheckoutSession(CREATE),
    )
    expect(error).toMatchObject({ code: 'dots-certificate-rejected' })
    expect(error).toMatchObject({ sessionMayExist: false, logLevel: 'error', retryAfterSeconds: undefined })
    expect(requests).toBe(0)
  })

  test('a peer that speaks no TLS where TLS is asked for', async () => {
    const url = await raw((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const error = await failureOf(clientOf(url.replace('http:', 'https:')).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-certificate-rejected' })
  })
})

describe('sent, and no whole answer came, so a session may exist:', () => {
  test('late headers', async () => {
    const client = clientOf(await raw(() => {}), { firstByteMs: FIRST_BYTE_MS })
    const start = performance.now()
    const error = await failureOf(client.createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-timeout', sessionMayExist: true, retryAfterSeconds: 5 })
    expect(performance.now() - start).toBeLessThan(3_000)
  })

  test('a body that stops half way', async () => {
    const url = await raw((socket) => void socket.write(`${HEAD}content-length: 100\r\n\r\n{"checkout`))
    const error = await failureOf(clientOf(url, { firstByteMs: FIRST_BYTE_MS }).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-timeout', sessionMayExist: true })
  })

  test('a body that drips for ever is cut by the deadline', async () => {
    const url = await raw((socket) => {
      socket.write(`${HEAD}content-length: 60000\r\n\r\n`)
      const dripping = setInterval(() => socket.write(' '), 20)
      socket.once('close', () => clearInterval(dripping))
    })
    const start = performance.now()
    const error = await failureOf(
      clientOf(url, { deadlinesMs: { click: 400 } }).createCheckoutSession(CREATE),
    )
    expect(error).toMatchObject({ code: 'dots-timeout', sessionMayExist: true })
    expect(performance.now() - start).toBeGreaterThan(350)
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  test('a line that is cut before the answer', async () => {
    for (const cut of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const error = await failureOf(
        clientOf(await raw((socket) => void socket[cut]())).createCheckoutSession(CREATE),
      )
      expect(error, cut).toMatchObject({ code: 'dots-connection-lost', sessionMayExist: true })
    }
  })

  test('a line that is cut in the body', async () => {
    for (const framing of ['content-length: 100', 'transfer-encoding: chunked']) {
      const part = framing.startsWith('t') ? 'a\r\n{"checkout\r\n' : '{"checkout'
      const url = await raw((socket) => {
        socket.write(`${HEAD}${framing}\r\n\r\n${part}`, () => setTimeout(() => socket.destroy(), 30))
      })
      const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
      expect(error, framing).toMatchObject({ code: 'dots-connection-lost', sessionMayExist: true })
    }
  })

  test('something that is no HTTP at all', async () => {
    const url = await raw((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-invalid-response' })
    expect(error.sessionMayExist).toBe(true)
  })
})

describe('a body over 64 KiB is not read to its end', () => {
  const LIMIT = 64 * 1024
  const exactly = (bytes: number) =>
    `${JSON.stringify(GOOD)}${' '.repeat(bytes - JSON.stringify(GOOD).length)}`

  test.each(['with', 'without'] as const)('%s a content-length', async (length) => {
    for (const [bytes, code] of [
      [LIMIT, 'none'],
      [LIMIT + 1, 'dots-invalid-response'],
      [LIMIT * 40, 'dots-invalid-response'],
    ] as const) {
      const url = await web((request, response) => {
        request.resume()
        const head = length === 'with' ? { 'content-length': bytes } : {}
        response.writeHead(200, { 'content-type': 'application/json', ...head })
        response.write(exactly(bytes))
        response.end()
      })
      const call = clientOf(url).createCheckoutSession(CREATE)
      if (code === 'none') await expect(call).resolves.toBeDefined()
      else {
        const error = await failureOf(call)
        expect(error).toMatchObject({
          code,
          sessionMayExist: true,
          details: { tooLarge: `over ${LIMIT} bytes` },
        })
      }
    }
  })

  test('and one without end is left at once', async () => {
    let sent = 0
    const url = await web(async (request, response) => {
      request.resume()
      response.writeHead(200, { 'content-type': 'application/json' })
      while (!response.destroyed && sent < 200_000_000) {
        sent += 16_384
        if (!response.write('x'.repeat(16_384))) await sleep(1)
      }
    })
    expect(await failureOf(clientOf(url).createCheckoutSession(CREATE))).toMatchObject({
      code: 'dots-invalid-response',
    })
    await sleep(50)
    expect(sent).toBeLessThan(20_000_000)
  })

  test('a small one that would unpack to a hundred megabytes stays packed', async () => {
    const bomb = gzipSync(`${JSON.stringify(GOOD)}${' '.repeat(60_000_000)}`)
    expect(bomb.length).toBeLessThan(LIMIT)
    const url = await web((request, response) => {
      request.resume()
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb)
    })
    const error = await failureOf(clientOf(url).createCheckoutSession(CREATE))
    expect(error).toMatchObject({ code: 'dots-invalid-response', details: { bytes: bomb.length } })
  })
})

test('after a broken connection the next call has a new one', async () => {
  let calls = 0
  const url = await raw((socket) => {
    // The call and its one retry.
    if (calls++ < 2) socket.destroy()
    else {
      const body = JSON.stringify(GOOD)
      socket.end(`${HEAD}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`)
    }
  })
  const client = clientOf(url)
  await failureOf(client.createCheckoutSession(CREATE))
  await expect(client.createCheckoutSession(CREATE)).resolves.toBeDefined()
})

test('a connection that Dots has closed while it was idle costs no call', async () => {
  let calls = 0
  const url = await raw((socket) => {
    calls++
    const body = JSON.stringify(GOOD)
    socket.write(`${HEAD}content-length: ${body.length}\r\n\r\n${body}`, () =>
      setTimeout(() => socket.end(), 30),
    )
  })
  const client = clientOf(url)
  for (let n = 0; n < 3; n++) {
    await client.createCheckoutSession(CREATE)
    await sleep(150)
  }
  expect(calls).toBe(3)
})

test('closing waits for a call in flight', async () => {
  const url = await web(async (request, response) => {
    request.resume()
    await sleep(150)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(GOOD))
  })
  const client = clientOf(url)
  const call = client.createCheckoutSession(CREATE)
  await sleep(30)
  await client.close()
  await expect(call).resolves.toBeDefined()
})
